// Segments as they leave: the header, its options, its flags, and what a sent segment settles.
// Read first: RFC 9293 3.1, RFC 7323 3.2, RFC 3168 6.1, RFC 2883 4.
#include <algorithm>
#include <cstring>

#include "native/tcp/engine.hh"
#include "native/wire/checksum.hh"
#include "native/wire/ecn.hh"

namespace qstack {
namespace {

/// Room that ACKs leave to answers of the other kinds (RST, SYN-ACK, ARP).
constexpr uint32_t kAckReserve = 64;
/// Where the TCP header of a segment without payload starts in its buffer.
constexpr uint16_t kControlAt = 64;

/// What is missing holds up all that lies behind it at the peer: sent again by its own level it would come last each time,
/// where the peer has room for the first of a burst only.
uint8_t highest_level(const PacketQueue& sent) {
  uint8_t level = sent.front()->level;
  for (const Packet* p = sent.front(); p != nullptr; p = sent.after(p)) level = std::min(level, p->level);
  return level;
}

}  // namespace

/// Writes the header before the payload and hands the frame to IP; one reference stays with the retransmission queue.
void TcpEngine::transmit(Tcb& c, Busy& b, Packet* packet) {
  ++packet->tx_count;
  packet->sent_us = now_us_;
  if (packet->tx_count == 1) stamp_first(*packet);
  const uint8_t options = c.has(kTimestamps) ? 12 : 0;
  const auto header = static_cast<uint8_t>(kTcpHeader + options);
  const auto length = static_cast<uint16_t>(header + packet->payload_length);
  uint8_t* const payload = packet->data + packet->payload;
  uint8_t* const tcp = payload - header;
  const uint8_t flags = flags_of(c, *packet);
  write_tcp_header(tcp, c.key.local_port, c.key.remote_port, packet->sequence, c.rcv_nxt, header, flags, advertise(c));
  if (options != 0) write_timestamps(tcp + kTcpHeader, ts_clock() + c.ts_offset, c.ts_recent);
  acked_by_output(c);
  pace(c, b, packet->payload_length);
  if (c.has(kSums)) [[unlikely]] sum_out(c, packet->payload_length, packet->tx_count > 1);
  if (b.recovery == RecoveryKind::fast) b.episode.out += sequence_length(*packet);
  tx_.hold(packet);
  send_segment(packet, tcp, length, c.key, c.neighbor);
}

void TcpEngine::stamp_first(Packet& packet) {
  const Stamp now = to_stamp(now_);
  if (packet.rx_stamp != 0) counters_.sojourn.record(Stage::send, packet.level, packet.tcp_stamp, now);
  packet.tcp_stamp = now;
}

/// Also gives the packet its code point: new data only are ECN-capable (RFC 3168 6.1.5), and take CWR along.
uint8_t TcpEngine::flags_of(Tcb& c, Packet& packet) {
  uint8_t flags = kAck;
  if (packet.tx_flags & kTxMessageEnd) flags |= kPsh;
  if (packet.tx_flags & kTxFin) flags |= kFin;
  if (c.has(kEceDue)) flags |= kEce;
  const IpMarks marks = marks_of(c.profile);
  packet.traffic_class = marks.traffic_class;
  packet.ttl = marks.ttl;
  if (!c.has(kEcn) || packet.tx_count != 1 || packet.payload_length == 0) return flags;
  packet.traffic_class |= kEcnCapable;
  if (c.has(kCwrDue)) flags |= kCwr;
  c.clear(kCwrDue);
  return flags;
}

/// Sends a segment again, the oldest with the level of the highest behind it, cut to the MSS where that has been lowered, or
/// without a packet for its rest as far as the MSS goes. A frame that a port still holds must not be written to: then a copy
/// goes out.
bool TcpEngine::retransmit(Tcb& c, Busy& b, Packet* packet) {
  if (packet == b.retransmit.front()) packet->level = highest_level(b.retransmit);
  if (packet->payload_length > c.mss && !cut(b, packet, c.mss)) return retransmit_head(c, b, packet);
  Packet* frame = packet;
  if (tx_.shared(packet)) {
    frame = tx_.allocate();
    if (frame == nullptr) {
      count(Counter::drop_no_packet);
      return false;
    }
    frame->data = PacketRegion::buffer(frame);
    frame->payload = kHeadroom;
    frame->payload_length = packet->payload_length;
    frame->sequence = packet->sequence;
    frame->level = packet->level;
    frame->tx_flags = static_cast<uint8_t>(packet->tx_flags & ~kTxQueued);
    frame->tx_count = 1;
    std::memcpy(frame->data + frame->payload, packet->data + packet->payload, packet->payload_length);
  }
  note_retransmission(c, b, *packet);
  transmit(c, b, frame);
  if (frame != packet) {
    ++packet->tx_count;
    packet->sent_us = now_us_;
    tx_.release(frame);
  }
  await_answer(c, b, packet);
  return true;
}

/// All packets may be where they wait for this one: so it needs none. When its beginning is acknowledged the rest is lost.
bool TcpEngine::retransmit_head(Tcb& c, Busy& b, Packet* packet) {
  if (tx_.shared(packet)) return false;
  const uint16_t length = packet->payload_length;
  const auto at_end = static_cast<uint8_t>(packet->tx_flags & (kTxMessageEnd | kTxFin));
  note_retransmission(c, b, *packet);
  packet->payload_length = c.mss;
  packet->tx_flags &= static_cast<uint8_t>(~at_end);
  transmit(c, b, packet);
  packet->payload_length = length;
  packet->tx_flags |= at_end;
  await_answer(c, b, packet);
  return true;
}

/// What the timer waits for has just been sent: what is left of the old time would end before its answer can come.
void TcpEngine::await_answer(Tcb& c, Busy& b, const Packet* packet) {
  const bool oldest = packet == b.retransmit.front() && b.timer == TimerKind::rto;
  if (b.rto_deadline_ms == 0 || oldest) start_rto(c, b);
}

void TcpEngine::note_retransmission(Tcb& c, Busy& b, Packet& packet) {
  count(Counter::retransmits);
  if (c.retransmits < UINT16_MAX) ++c.retransmits;
  if (packet.tx_flags & kTxLost) b.lost_bytes -= sequence_length(packet);
  packet.tx_flags &= static_cast<uint8_t>(~kTxLost);
  if (!repairing(b)) return;  // a probe
  if (b.recovery == RecoveryKind::timeout) ++b.episode.out;
  ++b.episode.repeats;
  // Only the first repetition of the oldest segment tells by its echo (RFC 3522 3.2): the ACK of one that was repeated in
  // an earlier episode would be taken for that of an original.
  if (b.episode.repeats != 1 || packet.tx_count != 1 || &packet != b.retransmit.front()) return;
  b.mark(kFirstRepeatStamped);
  b.episode.repeat_ms = ts_clock();
}

/// Takes over one reference; the segment is complete but for its checksum. With `request` it goes back to the station
/// that this came from.
void TcpEngine::send_segment(Packet* packet, uint8_t* tcp, uint16_t length, const FlowKey& key, uint32_t neighbor,
                             const Packet* request) {
  write_checksum(tcp, length, key);
  packet->l4 = static_cast<uint16_t>(tcp - packet->data);
  if (request != nullptr) return ip_.answer(packet, *request, kProtocolTcp, length);
  if (key.ipv6()) [[unlikely]] {
    return ip_.output_ipv6(packet, keys_.local(key), keys_.remote(key), neighbor, kProtocolTcp, length, now_);
  }
  ip_.output(packet, key.local_address, key.remote_address, neighbor, kProtocolTcp, length, now_);
}

void TcpEngine::write_checksum(uint8_t* tcp, uint16_t length, const FlowKey& key) const {
  const uint64_t pseudo = key.ipv6() ? checksum_pseudo(keys_.local(key), keys_.remote(key), kProtocolTcp, length)
                                     : checksum_pseudo(key.local_address, key.remote_address, kProtocolTcp, length);
  const uint16_t sum = internet_checksum(tcp, length, pseudo);
  std::memcpy(tcp + 16, &sum, 2);
}

/// A segment that carries our newest rcv_nxt settles the ACKs that were owed, but for those that report a hole.
void TcpEngine::acked_by_output(Tcb& c) {
  c.last_ack_sent = c.rcv_nxt;
  if (!c.has(kProbing)) c.segments_unacked = 0;
  if (c.busy != kNoIndex && busy_.at(c.busy).beyond_hole()) return;
  c.clear(kAckDelayed);
  c.clear(kAckNow);
}

/// `duplicate`: what arrived twice; it is reported before the blocks that are held (RFC 2883 4).
void TcpEngine::send_ack(Tcb& c, const SackBlock* duplicate) {
  uint8_t options[40];
  uint8_t length = 0;
  if (c.has(kTimestamps)) length = write_timestamps(options, ts_clock() + c.ts_offset, c.ts_recent);
  if (c.has(kSackPermitted)) {
    SackBlock blocks[kSackBlocksMax];
    const uint8_t room = length == 0 ? kSackBlocksMax : kSackBlocksMax - 1;
    uint8_t n = 0;
    if (duplicate != nullptr) blocks[n++] = *duplicate;
    const bool ours = c.has(kOvertaken) && waiting_ != 0;
    if (c.busy != kNoIndex && !ours) n = static_cast<uint8_t>(n + sack_blocks(busy_.at(c.busy), blocks + n, room - n));
    if (n != 0) length = static_cast<uint8_t>(length + write_sack(options + length, blocks, n));
  }
  const Control control = {c.key, c.snd_nxt, c.rcv_nxt, c.neighbor, advertise(c),
                           static_cast<uint8_t>(kAck | (c.has(kEceDue) ? kEce : 0)), marks_of(c.profile)};
  acked_by_output(c);
  if (!c.has(kOvertaken)) c.clear(kAckDelayed);
  c.clear(kAckNow);
  count(Counter::acks_out);
  if (c.has(kSums)) [[unlikely]] sum_out(c, 0, false);
  send_control(control, options, length);
}

/// RST and probes of a connection.
void TcpEngine::send_flags(Tcb& c, Seq seq, uint8_t flags) {
  uint8_t options[12];
  const uint8_t length = c.has(kTimestamps) ? write_timestamps(options, ts_clock() + c.ts_offset, c.ts_recent) : 0;
  const Control control = {c.key, seq, c.rcv_nxt, c.neighbor, advertise(c), flags, marks_of(c.profile)};
  if (!(flags & kRst)) acked_by_output(c);
  if (c.has(kSums)) [[unlikely]] sum_out(c, 0, false);
  send_control(control, options, length);
}

/// With `request` the answer goes to the station that it came from, else by the route.
void TcpEngine::send_control(const Control& control, const uint8_t* options, uint8_t options_length,
                             const Packet* request) {
  // What answers strangers goes last, and leaves half of its lane to connections. RST overtakes no data of its connection.
  const bool closes = request == nullptr && (control.flags & kRst);
  const uint8_t level = request == nullptr && !closes ? 0 : queue_.lowest();
  if (request != nullptr && queue_.room(level) <= queue_.capacity() / 2) return count(Counter::drop_tx_full);
  Packet* const packet = tx_.allocate();
  if (packet == nullptr) return count(Counter::drop_no_packet);
  packet->level = level;
  packet->tx_flags = closes ? kTxCloses : 0;
  const auto length = static_cast<uint16_t>(kTcpHeader + options_length);
  packet->data = PacketRegion::buffer(packet);
  packet->traffic_class = control.marks.traffic_class;
  packet->ttl = control.marks.ttl;
  uint8_t* const tcp = packet->data + kControlAt;
  write_tcp_header(tcp, control.key.local_port, control.key.remote_port, control.seq, control.ack,
                   static_cast<uint8_t>(length), control.flags, control.window);
  if (options_length != 0) std::memcpy(tcp + kTcpHeader, options, options_length);
  send_segment(packet, tcp, length, control.key, control.neighbor, request);
}

/// RFC 9293 3.5.2: the reset that answers a segment for which there is no connection.
void TcpEngine::send_reset_for(const Arrival& arrival) {
  const TcpSegment& s = arrival.segment;
  Control control = {arrival.key, 0, s.seq + s.sequence_length(), kNoIndex, 0, kRst | kAck};
  if (s.flags & kAck) control = {arrival.key, s.ack, 0, kNoIndex, 0, kRst};
  count(Counter::resets_out);
  send_control(control, nullptr, 0, arrival.packet);
}

bool TcpEngine::flush_acks() {
  while (acks_sent_ < ack_list_.size()) {
    if (queue_.room(0) <= kAckReserve) return false;
    Tcb& c = tcbs_.at(ack_list_[acks_sent_++]);
    if (c.state != TcpState::closed && c.has(kAckNow)) send_ack(c);
  }
  ack_list_.clear();
  ack_list_.swap(next_ack_list_);
  acks_sent_ = 0;
  return true;
}

}  // namespace qstack
