// Segments beyond a hole: a list by sequence without overlaps, and the SACK blocks that describe it (RFC 2018 4).
#include "native/tcp/engine.hh"

namespace qstack {
namespace {

/// A peer may make us keep this many packets out of order on one connection.
constexpr uint32_t kOutOfOrderMax = 512;
/// Longer than segments wait between the driver and TCP.
constexpr uint32_t kOwnQueueMs = 20;

}  // namespace

void TcpEngine::take_out_of_order(Tcb& c, Packet* packet) {
  count(Counter::out_of_order_in);
  if (c.has(kSums)) [[unlikely]] ++sums_.at(slot_of(c)).rcv_ooopack;
  const bool overtakes = packet->tx_flags & kRxOvertakes;
  Busy* const b = need_busy(c);
  if (b == nullptr) {
    drop(packet, Counter::drop_no_busy);
  } else if (b->out_of_order_count >= kOutOfOrderMax) {
    drop(packet, Counter::rx_deferred);
  } else {
    const SackBlock block = {packet->sequence, text_end(*packet)};
    b->latest_out_of_order = block.first;
    if (!trim_to_early(*b, packet) || !store_out_of_order(*b, packet)) return report_duplicate(c, block);
    overtake(c, *b, *packet);
    if (c.state == TcpState::closed) return;
  }
  // What came before it may wait in our own queue, and is no loss to report. If nothing of it comes, it is one.
  if (overtakes) {
    c.set(kOvertaken);
    return ack_later(c, kOwnQueueMs);
  }
  c.clear(kOvertaken);
  // RFC 5681 4.2: at once. A sender with SACK sees every hole in the one ACK at the end of the turn; the others count
  // duplicate ACKs, so each segment gets its own.
  if (c.has(kSackPermitted)) return ack_now(c);
  send_ack(c);
}

/// Where the link to the last packet out of order is; null: there is none.
Packet** TcpEngine::last_out_of_order(const Tcb& c) {
  if (c.busy == kNoIndex || busy_.at(c.busy).out_of_order == nullptr) return nullptr;
  Packet** place = &busy_.at(c.busy).out_of_order;
  while ((*place)->next != nullptr) place = &(*place)->next;
  return place;
}

bool TcpEngine::fills_hole(const Tcb& c, Seq sequence) {
  Packet* const* const last = last_out_of_order(c);
  return last != nullptr && seq_lt(sequence, (*last)->sequence);
}

/// Drops the farthest packet, for one that is needed before it. What may have been reported by SACK stays: the peer would
/// not send it again (RFC 2018 8).
bool TcpEngine::make_way(Tcb& c) {
  if (c.has(kSackPermitted)) return false;
  Packet** const last = last_out_of_order(c);
  drop(std::exchange(*last, nullptr), Counter::rx_deferred);
  --busy_.at(c.busy).out_of_order_count;
  return true;
}

/// Keeps the bytes that came first where two segments overlap. False: all of them were here, and the packet is dropped.
bool TcpEngine::store_out_of_order(Busy& b, Packet* packet) {
  Packet** place = &b.out_of_order;
  while (*place != nullptr && seq_le((*place)->sequence, packet->sequence)) {
    const Seq end = text_end(**place);
    if (seq_ge(end, text_end(*packet))) {
      drop(packet, Counter::duplicates_in);
      return false;
    }
    if (seq_gt(end, packet->sequence)) {  // cut the head
      const uint32_t covered = end - packet->sequence;
      packet->sequence = end;
      packet->payload = static_cast<uint16_t>(packet->payload + covered);
      packet->payload_length = static_cast<uint16_t>(packet->payload_length - covered);
    }
    place = &(*place)->next;
  }
  while (*place != nullptr && seq_le(text_end(**place), text_end(*packet))) {  // covered by the new one
    Packet* const covered = *place;
    *place = covered->next;
    --b.out_of_order_count;
    drop(covered, Counter::duplicates_in);
  }
  if (*place != nullptr && seq_gt(text_end(*packet), (*place)->sequence)) {  // cut the tail
    packet->payload_length = static_cast<uint16_t>((*place)->sequence - packet->sequence);
  }
  packet->next = *place;
  *place = packet;
  ++b.out_of_order_count;
  return true;
}

/// At once, because each duplicate is reported by itself (RFC 2883 4).
void TcpEngine::report_duplicate(Tcb& c, const SackBlock& block) {
  if (!c.has(kSackPermitted)) return ack_now(c);
  send_ack(c, &block);
}

/// What lies beyond a hole, and the memory of what was handed over from there.
void TcpEngine::drop_kept(Busy& b) {
  while (b.out_of_order != nullptr) rx_.release(std::exchange(b.out_of_order, b.out_of_order->next));
  b.out_of_order_count = 0;
  if (b.early != kNoIndex) early_.release(std::exchange(b.early, kNoIndex));
}

/// Nothing of what is kept lies before RCV.NXT: bytes that the app refused may have come again, and been taken then.
void TcpEngine::trim_kept(Tcb& c, Busy& b) {
  while (b.out_of_order != nullptr && seq_lt(b.out_of_order->sequence, c.rcv_nxt) && !trim_to_window(c, b.out_of_order)) {
    --b.out_of_order_count;
    rx_.release(std::exchange(b.out_of_order, b.out_of_order->next));
  }
}

/// Delivers what has become in order, and a FIN behind it.
void TcpEngine::drain_out_of_order(Tcb& c) {
  while (c.busy != kNoIndex) {
    Busy& b = busy_.at(c.busy);
    if (pass_early(c, b)) ack_now(c);
    Packet* const packet = b.out_of_order;
    if (packet == nullptr || seq_gt(packet->sequence, c.rcv_nxt)) break;
    b.out_of_order = packet->next;
    --b.out_of_order_count;
    packet->next = nullptr;
    if (!trim_to_window(c, packet)) {
      drop(packet, Counter::duplicates_in);
      continue;
    }
    const uint32_t length = packet->payload_length;
    const uint32_t taken = deliver(c, packet);
    if (c.state == TcpState::closed) return;
    advance(c, taken);
    if (taken != 0) ack_now(c);  // an app without room is asked again each turn
    if (taken < length) return keep_rest(c, packet, taken);
  }
  if (c.busy == kNoIndex) return;
  const Busy& b = busy_.at(c.busy);
  if (b.marked(kFinOutOfOrder) && b.fin_seq == c.rcv_nxt) process_fin(c);
}

/// The next run without a gap of what is kept or was handed over early; empty at the end of both lists.
SackBlock TcpEngine::next_block(const Busy& b, const Packet*& packet, uint32_t& range) const {
  const EarlyRanges* const early = b.early == kNoIndex ? nullptr : &early_.at(b.early);
  const uint32_t ranges = early == nullptr ? 0 : early->count;
  if (packet == nullptr && range == ranges) return {0, 0};
  const bool begins_early = packet == nullptr || (range < ranges && seq_lt(early->ranges[range].first, packet->sequence));
  SackBlock block = begins_early ? early->ranges[range] : SackBlock{packet->sequence, text_end(*packet)};
  for (;;) {
    if (packet != nullptr && seq_le(packet->sequence, block.end)) {
      block.end = seq_max(block.end, text_end(*packet));
      packet = packet->next;
    } else if (range < ranges && seq_le(early->ranges[range].first, block.end)) {
      block.end = seq_max(block.end, early->ranges[range++].end);
    } else {
      return block;
    }
  }
}

/// The block of the newest segment first, then the others from the lowest on.
uint8_t TcpEngine::sack_blocks(const Busy& b, SackBlock* out, uint8_t room) const {
  uint8_t count = 0;
  const Packet* packet = b.out_of_order;
  uint32_t range = 0;
  for (SackBlock block = next_block(b, packet, range); block.first != block.end; block = next_block(b, packet, range)) {
    const bool newest = seq_within(b.latest_out_of_order, block.first, block.end - block.first);
    if (newest) {
      if (count == room) --count;
      for (uint8_t i = count; i > 0; --i) out[i] = out[i - 1];
      out[0] = block;
      ++count;
    } else if (count < room) {
      out[count++] = block;
    }
  }
  return count;
}

}  // namespace qstack
