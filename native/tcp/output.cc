// What may be sent now, and how it is cut. transmit.cc makes segments of it.
// Read first: RFC 9293 3.8.6 and 3.7.4; RFC 5681 3.1; RFC 3042. Retransmissions go first; a message is never cut by another.
#include <algorithm>
#include <bit>
#include <cstring>

#include "native/tcp/engine.hh"

namespace qstack {
namespace {

/// Frames that one connection may still queue once the TX queue is this full: ACKs and handshakes need room too.
constexpr uint32_t kQueueReserve = 256;
/// Bursts that pacing lets go at once: what the timer wheel's tick of 1 ms can keep apart.
constexpr uint32_t kPaceAheadUs = 1'000;

}  // namespace

bool TcpEngine::send_ready(uint8_t level) const { return queue_.room(level) > kQueueReserve && busy_left(); }

/// Where there is a block for each connection, none is ever refused one: when all are in use, who sends has its own already.
/// To wait for one then would be to wait for an app that waits for what it sends.
bool TcpEngine::busy_left() const { return busy_.available() != 0 || busy_.capacity() >= tcbs_.capacity(); }

bool TcpEngine::send(Handle handle, Packet* packet, bool message_end) {
  Tcb* const c = find_alive(handle);
  const bool open = c != nullptr && !c->has(kFinQueued) &&
                    (c->opening() || c->state == TcpState::established || c->state == TcpState::close_wait);
  Busy* const b = open && packet->payload_length != 0 ? need_busy(*c) : nullptr;
  if (b == nullptr) {
    count(c == nullptr ? Counter::stale_records : Counter::failed_sends);
    tx_.release(packet);
    return false;
  }
  uint8_t* const payload = packet->data + packet->payload;
  packet->data = PacketRegion::buffer(packet);
  packet->payload = static_cast<uint16_t>(payload - packet->data);
  packet->tx_flags = message_end ? kTxMessageEnd : 0;
  packet->tx_count = 0;
  b->unsent[packet->level].push_back(packet);
  b->unsent_levels |= static_cast<uint8_t>(1u << packet->level);
  b->unsent_bytes += packet->payload_length;
  if (message_end) count(Counter::messages_out);
  output(*c);
  return true;
}

uint32_t TcpEngine::append(Handle handle, uint8_t level, const uint8_t* bytes, uint32_t length) {
  Tcb* const c = find_alive(handle);
  if (c == nullptr || c->busy == kNoIndex || c->has(kFinQueued)) return 0;
  Busy& b = busy_.at(c->busy);
  if (b.unsent[level].empty()) return 0;
  Packet& last = *b.unsent[level].back();
  const uint32_t end = uint32_t{last.payload} + last.payload_length;
  const uint32_t segment = c->mss - std::min<uint32_t>(c->mss, last.payload_length);
  const uint32_t taken = std::min({length, segment, kHeadroom + kRoom - std::min(end, kHeadroom + kRoom)});
  if (taken == 0) return 0;
  std::memcpy(last.data + end, bytes, taken);
  last.payload_length = static_cast<uint16_t>(last.payload_length + taken);
  b.unsent_bytes += taken;
  output(*c);
  return taken;
}

void TcpEngine::output(Tcb& c) {
  if (c.opening() || c.busy == kNoIndex) return;
  Busy& b = busy_.at(c.busy);
  const Seq before = c.snd_nxt;
  bool more = true;
  while (more && may_depart(c, b)) more = output_lost(c, b) || output_new(c, b, false);
  if (c.snd_nxt != before) schedule_probe(c, b);
}

/// The congestion window, and two segments more while the first two duplicate ACKs tell of segments that have left the
/// network (RFC 3042). With SACK they have left the pipe. After a time-out slow start counts what is repeated in segments too:
/// a window of bytes would let a hundred small ones go at once, of which a peer that is short of packets can keep no more
/// than before.
bool TcpEngine::window_admits(const Tcb& c, const Busy& b, uint32_t length) const {
  const uint32_t in_network = pipe(c, b);
  const bool repeats = b.recovery == RecoveryKind::timeout && b.lost_bytes != 0;
  if (repeats && b.episode.out > 2 * b.episode.delivered && in_network != 0) return false;
  const bool limited_transmit = b.recovery == RecoveryKind::none && !c.has(kSackPermitted);
  const uint32_t extra = limited_transmit ? std::min<uint32_t>(b.duplicate_acks, 2) * c.mss : 0;
  return in_network == 0 || in_network + length <= b.congestion.cwnd + extra;
}

/// Bytes per second that segments are spread out to; 0: they are not. With `pacing` a window leaves in less than an RTT,
/// so that pacing is not what limits it. A recovery may take the window down to nothing (RFC 6937 3): the pace stays that of
/// a segment, or the next one would be due long after every time-out.
uint64_t TcpEngine::pacing_rate(const Tcb& c, const Busy& b) const {
  const uint64_t limit = option_of(c, TcpOption::pacing_rate);
  if (!config_.pacing || c.srtt_us == 0) return limit;
  const uint32_t percent = b.congestion.cwnd < b.congestion.ssthresh ? 200 : 120;
  const uint32_t window = std::max<uint32_t>(b.congestion.cwnd, c.mss);
  const uint64_t rate = std::max<uint64_t>(uint64_t{window} * percent * 10'000 / c.srtt_us, 1);
  return limit == 0 ? rate : std::min(limit, rate);
}

/// False: the next segment waits for its time; the timer sends it.
bool TcpEngine::may_depart(Tcb& c, Busy& b) {
  const uint64_t rate = pacing_rate(c, b);
  if (rate == 0) return true;
  const auto ahead_us = static_cast<int32_t>(b.pace_us - now_us_);
  if (ahead_us <= static_cast<int32_t>(kPaceAheadUs)) return true;
  const bool waits = b.unsent_levels != 0 || b.lost_bytes != 0;
  if (!waits) return true;
  b.mark(kPaced);
  arm(c, now_ms_ + static_cast<uint32_t>(ahead_us) / 1'000);
  return false;
}

void TcpEngine::pace(const Tcb& c, Busy& b, uint32_t bytes) {
  const uint64_t rate = pacing_rate(c, b);
  if (rate == 0) return;
  if (static_cast<int32_t>(b.pace_us - now_us_) < 0) b.pace_us = now_us_;
  b.pace_us += static_cast<uint32_t>(uint64_t{bytes} * 1'000'000 / rate);
}

/// Whether the TX queue takes a segment of `level`; if not, the connection gets a turn later.
bool TcpEngine::lane_open(Tcb& c, uint8_t level) {
  if (queue_.room(level) > kQueueReserve) return true;
  c.set(kOutputDue);
  want_attention(c);
  return false;
}

bool TcpEngine::output_lost(Tcb& c, Busy& b) {
  if (b.lost_bytes == 0) return false;
  Packet* packet = b.retransmit.front();
  while (packet != nullptr && !(packet->tx_flags & kTxLost)) packet = b.retransmit.after(packet);
  if (packet == nullptr || !window_admits(c, b, sequence_length(*packet))) return false;
  return lane_open(c, packet->level) && retransmit(c, b, packet);
}

/// `forced`: for a probe; neither cwnd nor the rules against small segments hold it back.
bool TcpEngine::output_new(Tcb& c, Busy& b, bool forced) {
  if (b.unsent_levels == 0) return output_fin(c, b);
  // The highest level first, but a message that has begun is finished before another begins.
  const uint8_t level = b.open_level != kLevelsMax ? b.open_level : static_cast<uint8_t>(std::countr_zero(b.unsent_levels));
  if (b.unsent[level].empty() || !lane_open(c, level)) return false;
  Packet* const packet = take_sendable(c, b, level, forced);
  if (packet == nullptr) return false;
  b.unsent_bytes -= packet->payload_length;
  if (b.unsent[level].empty()) b.unsent_levels &= static_cast<uint8_t>(~(1u << level));
  b.open_level = (packet->tx_flags & kTxMessageEnd) ? kLevelsMax : level;
  const bool last = c.has(kFinQueued) && b.unsent_bytes == 0;
  if (last && send_room(c) > static_cast<int32_t>(packet->payload_length)) add_fin(c, *packet);
  send_first(c, b, packet);
  return true;
}

/// The FIN that no data segment took along: an empty segment, which is acknowledged, repaired and probed for like data.
bool TcpEngine::output_fin(Tcb& c, Busy& b) {
  if (!c.has(kFinQueued) || c.has(kFinSent)) return false;
  if (send_room(c) < 1) {
    if (in_flight(c) == 0) start_persist(c, b);
    return false;
  }
  if (!lane_open(c, queue_.lowest())) return false;
  Packet* const packet = tx_.allocate();
  if (packet == nullptr) {
    count(Counter::drop_no_packet);
    c.set(kOutputDue);
    want_attention(c);
    return false;
  }
  packet->data = PacketRegion::buffer(packet);
  packet->payload = kHeadroom;
  packet->payload_length = 0;
  packet->level = queue_.lowest();
  packet->tx_flags = kTxCloses;  // it overtakes none of the data
  packet->tx_count = 0;
  add_fin(c, *packet);
  send_first(c, b, packet);
  return true;
}

void TcpEngine::add_fin(Tcb& c, Packet& packet) {
  packet.tx_flags |= kTxFin;
  c.set(kFinSent);
  c.state = c.state == TcpState::close_wait ? TcpState::last_ack : TcpState::fin_wait_1;
}

void TcpEngine::send_first(Tcb& c, Busy& b, Packet* packet) {
  if (in_flight(c) == 0) b.progress_ms = now_ms_;
  packet->sequence = c.snd_nxt;
  packet->delivered = b.delivered;
  c.snd_nxt += sequence_length(*packet);
  b.retransmit.push_back(packet);
  if (b.timer == TimerKind::persist || b.rto_deadline_ms == 0) start_rto(c, b);
  transmit(c, b, packet);
}

/// Length that may be sent of `packet` now; 0: none. Starts the persist timer where nothing else would wake us. A part of
/// a segment waits until it is half of the largest window, or the timer fires (RFC 9293 3.8.6.2.1).
uint32_t TcpEngine::sendable(Tcb& c, Busy& b, const Packet* packet, bool forced) {
  const uint32_t length = std::min<uint32_t>(packet->payload_length, c.mss);
  if (!forced && !window_admits(c, b, length)) return 0;
  const bool nagle = collects(c) && !c.has(kFinQueued);
  if (!forced && nagle && in_flight(c) != 0 && length < c.mss) return 0;
  const int32_t room = send_room(c);
  if (room >= static_cast<int32_t>(length)) return length;
  if (room > 0 && (forced || static_cast<uint32_t>(room) >= c.max_snd_wnd / 2)) return static_cast<uint32_t>(room);
  if (in_flight(c) == 0) start_persist(c, b);  // else its ACK brings the window
  return 0;
}

/// The first unsent packet of `level`, cut to what may be sent; its rest takes its place in the queue. Null: not now.
Packet* TcpEngine::take_sendable(Tcb& c, Busy& b, uint8_t level, bool forced) {
  if (collects(c)) fill_segment(c, b.unsent[level]);
  Packet* const packet = b.unsent[level].front();
  const uint32_t length = sendable(c, b, packet, forced);
  if (length == 0) return nullptr;
  Packet* rest = nullptr;
  if (length < packet->payload_length) {
    rest = split(packet, static_cast<uint16_t>(length));
    if (rest == nullptr) {
      c.set(kOutputDue);
      want_attention(c);
      return nullptr;
    }
  }
  b.unsent[level].pop_front();
  if (rest != nullptr) b.unsent[level].push_front(rest);
  return packet;
}

/// Small writes that had to wait share a segment (RFC 9293 3.7.4).
void TcpEngine::fill_segment(const Tcb& c, PacketQueue& queue) {
  Packet* const first = queue.front();
  if (first->payload_length >= c.mss || queue.after(first) == nullptr) return;
  queue.pop_front();
  const uint32_t room = kHeadroom + kRoom - first->payload;
  const uint32_t most = std::min<uint32_t>(c.mss, room);
  while (!queue.empty() && first->payload_length < most) {
    Packet* const next = queue.front();
    const auto taken = static_cast<uint16_t>(std::min<uint32_t>(next->payload_length, most - first->payload_length));
    std::memcpy(first->data + first->payload + first->payload_length, next->data + next->payload, taken);
    first->payload_length = static_cast<uint16_t>(first->payload_length + taken);
    next->payload = static_cast<uint16_t>(next->payload + taken);
    next->payload_length = static_cast<uint16_t>(next->payload_length - taken);
    const bool whole = next->payload_length == 0;
    first->tx_flags = whole ? next->tx_flags : 0;  // a message that has begun is not at its end
    if (whole) tx_.release(queue.pop_front());
  }
  queue.push_front(first);
}

/// Cuts `packet` to `length` bytes; returns a new packet with the rest, or null without a free packet.
Packet* TcpEngine::split(Packet* packet, uint16_t length) {
  Packet* const rest = tx_.allocate();
  if (rest == nullptr) {
    count(Counter::drop_no_packet);
    return nullptr;
  }
  rest->data = PacketRegion::buffer(rest);
  rest->payload = kHeadroom;
  rest->payload_length = static_cast<uint16_t>(packet->payload_length - length);
  std::memcpy(rest->data + rest->payload, packet->data + packet->payload + length, rest->payload_length);
  rest->level = packet->level;
  rest->rx_stamp = packet->rx_stamp;
  rest->tcp_stamp = packet->tcp_stamp;
  rest->tx_flags = packet->tx_flags;
  packet->tx_flags &= static_cast<uint8_t>(~kTxMessageEnd);
  packet->payload_length = length;
  return rest;
}

}  // namespace qstack
