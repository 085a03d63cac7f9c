// Segments on their way out: what may be sent, how it is cut, and its header.
// Read first: RFC 9293 3.8.6 and 3.7.4; RFC 5681 3.1. Retransmissions go first; a message is never cut by another.
#include <algorithm>
#include <bit>
#include <cstring>

#include "native/tcp/engine.hh"
#include "native/wire/checksum.hh"

namespace qstack {
namespace {

/// Frames that one connection may still queue once the TX queue is this full: ACKs and handshakes need room too.
constexpr uint32_t kQueueReserve = 256;
/// Room that ACKs leave to answers of the other kinds (RST, SYN-ACK, ARP).
constexpr uint32_t kAckReserve = 64;
/// Where the TCP header of a segment without payload starts in its buffer.
constexpr uint16_t kControlAt = 64;

}  // namespace

bool TcpEngine::send_ready(uint8_t level) const { return queue_.room(level) > kQueueReserve && busy_.available() != 0; }

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

void TcpEngine::output(Tcb& c) {
  if (c.opening() || c.busy == kNoIndex) return;
  Busy& b = busy_.at(c.busy);
  bool more = true;
  while (more) more = output_lost(c, b) || output_new(c, b);
  maybe_send_fin(c, b);
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
  if (packet == nullptr) return false;
  const uint32_t in_network = pipe(c, b);
  if (in_network != 0 && in_network + packet->payload_length > b.congestion.cwnd) return false;
  return lane_open(c, packet->level) && retransmit(c, b, packet);
}

bool TcpEngine::output_new(Tcb& c, Busy& b) {
  if (b.unsent_levels == 0) return false;
  // The highest level first, but a message that has begun is finished before another begins.
  const uint8_t level = b.open_level != kLevelsMax ? b.open_level : static_cast<uint8_t>(std::countr_zero(b.unsent_levels));
  if (b.unsent[level].empty() || !lane_open(c, level)) return false;
  Packet* const packet = take_sendable(c, b, level);
  if (packet == nullptr) return false;
  b.unsent_bytes -= packet->payload_length;
  if (b.unsent[level].empty()) b.unsent_levels &= static_cast<uint8_t>(~(1u << level));
  b.open_level = (packet->tx_flags & kTxMessageEnd) ? kLevelsMax : level;
  packet->sequence = c.snd_nxt;
  c.snd_nxt += packet->payload_length;
  b.retransmit.push_back(packet);
  b.persisting = false;
  if (b.rto_deadline_ms == 0) start_rto(c, b);
  transmit(c, packet);
  return true;
}

/// Length that may be sent of `packet` now; 0: none. Starts the zero-window probe where nothing else would wake us.
uint32_t TcpEngine::sendable(Tcb& c, Busy& b, const Packet* packet) {
  const uint32_t length = std::min<uint32_t>(packet->payload_length, c.mss);
  const uint32_t in_network = pipe(c, b);
  if (in_network != 0 && in_network + length > b.congestion.cwnd) return 0;
  if (profiles_[c.profile].config.nagle && in_flight(c) != 0 && length < c.mss) return 0;
  const int32_t room = static_cast<int32_t>(c.snd_una + c.snd_wnd - c.snd_nxt);
  if (room >= static_cast<int32_t>(length)) return length;
  if (in_flight(c) != 0) return 0;  // its ACK brings the window
  if (room > 0) return static_cast<uint32_t>(room);
  start_persist(c, b);
  return 0;
}

/// The first unsent packet of `level`, cut to what may be sent; its rest takes its place in the queue. Null: not now.
Packet* TcpEngine::take_sendable(Tcb& c, Busy& b, uint8_t level) {
  Packet* const packet = b.unsent[level].front();
  const uint32_t length = sendable(c, b, packet);
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
  rest->tx_flags = packet->tx_flags;
  packet->tx_flags &= static_cast<uint8_t>(~kTxMessageEnd);
  packet->payload_length = length;
  return rest;
}

/// Writes the header before the payload and hands the frame to IP; one reference stays with the retransmission queue.
void TcpEngine::transmit(Tcb& c, Packet* packet) {
  ++packet->tx_count;
  packet->sent_us = now_us_;
  if (packet->tx_count == 1) packet->tcp_stamp = to_stamp(now_);
  const uint8_t options = c.has(kTimestamps) ? 12 : 0;
  const auto header = static_cast<uint8_t>(kTcpHeader + options);
  const auto length = static_cast<uint16_t>(header + packet->payload_length);
  uint8_t* const payload = packet->data + packet->payload;
  uint8_t* const tcp = payload - header;
  const uint8_t push = (packet->tx_flags & kTxMessageEnd) ? kPsh : 0;
  write_tcp_header(tcp, c.key.local_port, c.key.remote_port, packet->sequence, c.rcv_nxt, header,
                   static_cast<uint8_t>(kAck | push), advertise(c));
  if (options != 0) write_timestamps(tcp + kTcpHeader, ts_clock() + c.ts_offset, c.ts_recent);
  acked_by_output(c);
  tx_.hold(packet);
  send_segment(packet, tcp, length, c.key, c.neighbor);
}

/// Sends a lost segment again. A frame that a port still holds must not be written to: then a copy goes out.
bool TcpEngine::retransmit(Tcb& c, Busy& b, Packet* packet) {
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
    frame->tx_flags = packet->tx_flags;
    frame->tx_count = 1;
    std::memcpy(frame->data + frame->payload, packet->data + packet->payload, packet->payload_length);
  }
  count(Counter::retransmits);
  b.lost_bytes -= packet->payload_length;
  packet->tx_flags = static_cast<uint8_t>((packet->tx_flags & ~kTxLost) | kTxRetransmitted);
  transmit(c, frame);
  if (frame != packet) {
    ++packet->tx_count;
    packet->sent_us = now_us_;
    tx_.release(frame);
  }
  if (b.rto_deadline_ms == 0) start_rto(c, b);
  return true;
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
  c.segments_unacked = 0;
  c.clear(kAckDelayed);
  if (c.busy == kNoIndex || busy_.at(c.busy).out_of_order == nullptr) c.clear(kAckNow);
}

void TcpEngine::send_ack(Tcb& c) {
  uint8_t options[40];
  uint8_t length = 0;
  if (c.has(kTimestamps)) length = write_timestamps(options, ts_clock() + c.ts_offset, c.ts_recent);
  if (c.has(kSackPermitted) && c.busy != kNoIndex && busy_.at(c.busy).out_of_order != nullptr) {
    SackBlock blocks[kSackBlocksMax];
    const uint8_t n = sack_blocks(busy_.at(c.busy), blocks, length == 0 ? kSackBlocksMax : kSackBlocksMax - 1);
    length = static_cast<uint8_t>(length + write_sack(options + length, blocks, n));
  }
  const Control control = {c.key, c.snd_nxt, c.rcv_nxt, c.neighbor, advertise(c), kAck};
  acked_by_output(c);
  c.clear(kAckNow);
  count(Counter::acks_out);
  send_control(control, options, length);
}

/// FIN, RST and probes of a connection.
void TcpEngine::send_flags(Tcb& c, Seq seq, uint8_t flags) {
  uint8_t options[12];
  const uint8_t length = c.has(kTimestamps) ? write_timestamps(options, ts_clock() + c.ts_offset, c.ts_recent) : 0;
  const Control control = {c.key, seq, c.rcv_nxt, c.neighbor, advertise(c), flags};
  if (!(flags & kRst)) acked_by_output(c);
  send_control(control, options, length);
}

/// With `request` the answer goes to the station that it came from, else by the route.
void TcpEngine::send_control(const Control& control, const uint8_t* options, uint8_t options_length,
                             const Packet* request) {
  // What answers strangers goes last, and leaves half of its lane to connections.
  const uint8_t level = request == nullptr ? 0 : queue_.lowest();
  if (request != nullptr && queue_.room(level) <= queue_.capacity() / 2) return count(Counter::drop_tx_full);
  Packet* const packet = tx_.allocate();
  if (packet == nullptr) return count(Counter::drop_no_packet);
  packet->level = level;
  const auto length = static_cast<uint16_t>(kTcpHeader + options_length);
  packet->data = PacketRegion::buffer(packet);
  // What ends a connection overtakes none of its data.
  packet->level = (control.flags & (kFin | kRst)) ? queue_.lowest() : 0;
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
  acks_sent_ = 0;
  return true;
}

}  // namespace qstack
