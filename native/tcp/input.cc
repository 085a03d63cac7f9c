// Segments that arrive: look up in stages over bursts, then RFC 9293 3.10.7.4 in its order of checks.
// The stages are header → bucket → control block → Busy → what was sent. Cache misses of a burst overlap, and while one burst is
// handled the buckets of the next are on their way: of ten million connections nothing is in a cache, nor are the pages that it
// lies on in the TLB.
#include "native/tcp/engine.hh"
#include "native/wire/checksum.hh"

namespace qstack {

void TcpEngine::expect(Packet** packets, uint32_t n) {
  std::swap(current_, expected_);
  for (uint32_t i = 0; i < current_->n; ++i) prefetch_record(current_->arrivals[i]);
  expected_->n = n;
  for (uint32_t i = 0; i < n; ++i) prepare(expected_->arrivals[i], packets[i]);
}

void TcpEngine::input(uint32_t behind) {
  auto& arrivals = current_->arrivals;
  const uint32_t n = current_->n;
  for (uint32_t i = 0; i < n; ++i) prefetch_busy(arrivals[i]);
  for (uint32_t i = 0; i < n; ++i) prefetch_sent(arrivals[i]);
  for (uint32_t i = 0; i < n; ++i) {
    waiting_ = behind + expected_->n + n - 1 - i;
    arrive(arrivals[i]);
  }
  current_->n = 0;
}

void TcpEngine::prepare(Arrival& arrival, Packet* packet) {
  arrival.packet = packet;
  arrival.intact = false;
  const uint8_t* const ip = packet->data + packet->l3;
  const uint8_t* const tcp = packet->data + packet->l4;
  const auto length = static_cast<uint16_t>(packet->length - packet->l4);
  if (!parse_tcp(tcp, length, arrival.segment)) return drop(packet, Counter::drop_tcp_header);
  if (!read_addresses(arrival, ip, tcp, length)) return drop(packet, Counter::drop_tcp_checksum);
  arrival.hash = hash_of(arrival.key);
  arrival.intact = true;
  flows_.prefetch(arrival.hash);
  packet->payload = static_cast<uint16_t>(packet->l4 + arrival.segment.header_length);
  packet->payload_length = arrival.segment.payload_length;
  packet->sequence = arrival.segment.seq;
}

/// The key, and the checksum over the pseudo header that goes with it. False: the checksum is wrong.
bool TcpEngine::read_addresses(Arrival& arrival, const uint8_t* ip, const uint8_t* tcp, uint16_t length) {
  const TcpSegment& s = arrival.segment;
  uint64_t pseudo = 0;
  if (ip[0] >> 4 == 4) [[likely]] {
    arrival.key = {load_be32(ip + 12), load_be32(ip + 16), s.source_port, s.destination_port};
    pseudo = checksum_pseudo(arrival.key.remote_address, arrival.key.local_address, kProtocolTcp, length);
  } else {
    const IpAddress remote = load_ipv6(ip + 8);
    const IpAddress local = load_ipv6(ip + 24);
    const auto place = static_cast<uint32_t>(&arrival - expected_->arrivals.data() + (expected_ - bursts_.data()) * kBurst);
    arrival.key = keys_.make(place, remote, s.source_port, local, s.destination_port);
    pseudo = checksum_pseudo(remote, local, kProtocolTcp, length);
  }
  return internet_checksum(tcp, length, pseudo) == 0;
}

void TcpEngine::prefetch_record(Arrival& arrival) const {
  arrival.likely = arrival.intact ? flows_.candidate(arrival.hash) : kNoIndex;
  if (arrival.likely == kNoIndex) return;
  const auto* const record = static_cast<const uint8_t*>(record_of(arrival.likely));
  __builtin_prefetch(record);
  __builtin_prefetch(record + 64);
}

void TcpEngine::prefetch_busy(Arrival& arrival) const {
  const bool open = arrival.likely != kNoIndex && static_cast<Kind>(arrival.likely >> kKindShift) == Kind::connection;
  const uint32_t slot = arrival.likely & kSlotMask;
  const uint32_t busy = open ? tcbs_.at(slot).busy : kNoIndex;
  if (open) app_.prefetch(slot);
  arrival.likely = busy;
  prefetch_block(busy);
}

void TcpEngine::prefetch_sent(const Arrival& arrival) const {
  if (arrival.likely == kNoIndex) return;
  const PacketQueue& sent = busy_.at(arrival.likely).retransmit;
  if (!sent.empty()) prefetch_packet(sent.front());
}

void TcpEngine::arrive(Arrival& arrival) {
  if (!arrival.intact) return;
  const uint32_t value = find_flow(arrival.key, arrival.hash);
  if (value == kNoIndex) return on_no_connection(arrival);
  const uint32_t slot = value & kSlotMask;
  switch (static_cast<Kind>(value >> kKindShift)) {
    case Kind::half_open:
      return on_half_open(slot, arrival);
    case Kind::time_wait:
      return on_time_wait(slot, arrival);
    default:
      return on_connection(tcbs_.at(slot), arrival);
  }
}

/// RFC 9293 3.10.7.1 and 3.10.7.2: no connection, maybe a listener.
void TcpEngine::on_no_connection(Arrival& arrival) {
  const TcpSegment& s = arrival.segment;
  if (s.flags & kRst) return drop(arrival.packet, Counter::drop_no_listener);
  const bool opens = (s.flags & (kSyn | kAck | kFin)) == kSyn;
  if (opens) return on_syn(arrival);
  if (on_cookie(arrival)) return;
  send_reset_for(arrival);
  drop(arrival.packet, Counter::drop_no_listener);
}

void TcpEngine::on_connection(Tcb& c, Arrival& arrival) {
  const TcpSegment& s = arrival.segment;
  Packet* const packet = arrival.packet;
  if (c.has(kSums)) [[unlikely]] sum_in(c, s);
  if (c.state == TcpState::syn_sent) return on_syn_sent(c, arrival);
  if (reject_by_timestamps(c, arrival)) return drop(packet, Counter::drop_paws);
  if (c.state == TcpState::syn_received && !on_syn_received(c, arrival)) return;
  if (!acceptable(c, s) && reject_unacceptable(c, arrival)) return;
  if (!handle_reset_and_syn(c, arrival)) return;
  take_timestamp(c, s);
  take_congestion_marks(c, arrival);
  const uint32_t previous_window = c.snd_wnd;
  if (!process_ack(c, s, previous_window)) return drop(packet, Counter::drop_tcp_ack);
  if (c.state == TcpState::closed) return rx_.release(packet);
  heard(c);
  take_text(c, arrival);
}

/// RFC 9293 3.10.7.4, sixth to eighth check.
void TcpEngine::take_text(Tcb& c, Arrival& arrival) {
  const TcpSegment& s = arrival.segment;
  if (s.flags & kUrg) [[unlikely]] take_urgent(c, s);
  if (s.payload_length != 0) {
    receive_payload(c, arrival);
  } else {
    if (s.flags & kFin) note_fin(c, s.seq);
    rx_.release(arrival.packet);
  }
  if (c.state != TcpState::closed) drop_busy_if_idle(c);
}

/// RFC 9293 3.10.7.4, first check: the four cases of the acceptability test. An ACK without data may stand on the right
/// edge as well: a peer whose last segment was lost has used the window up, and acknowledges ours from there.
bool TcpEngine::acceptable(const Tcb& c, const TcpSegment& s) const {
  const uint32_t window = c.rcv_adv - c.rcv_nxt;
  const uint32_t length = s.sequence_length();
  if (length == 0) return seq_within(s.seq, c.rcv_nxt, window + 1);
  if (window == 0) return false;
  return seq_within(s.seq, c.rcv_nxt, window) || seq_within(s.seq + length - 1, c.rcv_nxt, window);
}

/// True: the segment is done with. False: go on with it (it carries an ACK that counts although our window is closed).
bool TcpEngine::reject_unacceptable(Tcb& c, Arrival& arrival) {
  TcpSegment& s = arrival.segment;
  if (s.flags & kRst) {
    drop(arrival.packet, Counter::drop_tcp_sequence);
    return true;
  }
  if (s.seq + 1 == c.rcv_nxt) heard(c);  // a peer that looks for us (RFC 9293 3.8.4)
  const bool probe = c.rcv_adv == c.rcv_nxt && s.seq == c.rcv_nxt && (s.flags & (kAck | kSyn)) == kAck;
  const SackBlock text = {s.seq, s.seq + s.payload_length};
  if (s.payload_length != 0 && seq_le(text.end, c.rcv_nxt) && !(s.flags & kSyn)) {
    count(Counter::duplicates_in);
    report_duplicate(c, text);
  } else {
    acknowledge_unacceptable(c, s);
  }
  if (!probe) {
    drop(arrival.packet, Counter::drop_tcp_sequence);
    return true;
  }
  count(Counter::drop_window);
  s.payload_length = 0;
  s.flags &= static_cast<uint8_t>(~kFin);
  return false;
}

/// A peer that repeats itself, or probes us, learns where we are each time. Two ends that disagree about their sequence
/// numbers would answer each other's bare ACKs for ever: those are limited like challenges.
void TcpEngine::acknowledge_unacceptable(Tcb& c, const TcpSegment& s) {
  const bool probe = s.seq + 1 == c.rcv_nxt;
  const bool bare = s.payload_length == 0 && !(s.flags & kFin);
  if ((s.flags & kSyn) || (bare && !probe)) return challenge(c);
  ack_now(c);
}

/// RFC 5961 7: the limit is kept per connection. One for all would tell a forger, who counts the ACKs on a connection of
/// his own, whether his guess about another one was right.
bool TcpEngine::may_challenge(uint16_t& challenged) {
  constexpr uint16_t kApart = 16;  // units of 32 ms
  const auto now = static_cast<uint16_t>(now_ms_ >> 5);
  if (static_cast<uint16_t>(now - challenged) < kApart) {
    count(Counter::challenge_acks_limited);
    return false;
  }
  challenged = now;
  count(Counter::challenge_acks);
  return true;
}

void TcpEngine::challenge(Tcb& c) {
  if (may_challenge(c.challenged)) ack_now(c);
}

/// PAWS (RFC 7323 5.3); where the option was negotiated, what comes without it is dropped in silence (3.2).
bool TcpEngine::reject_by_timestamps(Tcb& c, const Arrival& arrival) {
  constexpr uint32_t kTimestampLifeMs = 24u * 24 * 3600 * 1000;
  const TcpSegment& s = arrival.segment;
  if (!c.has(kTimestamps) || (s.flags & kRst)) return false;
  if (!s.options.has_timestamps) return true;
  if (!seq_lt(s.options.ts_value, c.ts_recent)) return false;
  if (now_ms_ - c.ts_recent_ms >= kTimestampLifeMs) return false;
  acknowledge_unacceptable(c, s);
  return true;
}

/// RST and SYN in the window (RFC 5961 3.2, 4.2), and the ACK bit. False: the segment is done with.
bool TcpEngine::handle_reset_and_syn(Tcb& c, Arrival& arrival) {
  const TcpSegment& s = arrival.segment;
  Packet* const packet = arrival.packet;
  if (s.flags & kRst) {
    count(Counter::resets_in);
    rx_.release(packet);
    if (s.seq == c.rcv_nxt) {
      finish(c, c.state == TcpState::syn_received ? CloseReason::refused : CloseReason::reset);
    } else {
      challenge(c);
    }
    return false;
  }
  if ((s.flags & kSyn) || !(s.flags & kAck)) {
    if (s.flags & kSyn) challenge(c);
    drop(packet, Counter::drop_tcp_sequence);
    return false;
  }
  return true;
}

/// RFC 7323 4.3: TS.Recent follows segments that cover the last ACK sent. None is older than it by now, unless TS.Recent
/// itself was out of date.
void TcpEngine::take_timestamp(Tcb& c, const TcpSegment& s) {
  if (!s.options.has_timestamps || !c.has(kTimestamps)) return;
  if (seq_le(s.seq, c.last_ack_sent)) {
    c.ts_recent = s.options.ts_value;
    c.ts_recent_ms = now_ms_;
  }
}

}  // namespace qstack
