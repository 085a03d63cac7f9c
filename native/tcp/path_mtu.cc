// What the path is said to carry: ICMP errors about our segments, and silence where a black hole swallows long ones.
//
// A connection whose MSS is lowered cuts what it has in flight and sends it again at once; that is no congestion. After
// ten minutes the MSS of the handshake is tried again.
// Read first: RFC 1191, RFC 8201, RFC 5927 (who may be lying), RFC 2923 2.1 (black holes), RFC 1122 4.2.3.9.
#include <algorithm>
#include <cstring>

#include "native/tcp/engine.hh"

namespace qstack {
namespace {

/// RFC 1191 6.3 and RFC 8201 4: ten minutes are recommended, less than five not allowed.
constexpr uint32_t kRaiseAfterMs = 600'000;
/// The narrowest link that RFC 1191 7 finds in use. Who claims less wants us to send headers only (RFC 5927 7.2).
constexpr uint16_t kMtuMin = 296;

/// RFC 2923 2.1, RFC 4821 7.2: so many time-outs of one segment, and then the next smaller size.
struct Step {
  uint8_t retries;
  uint16_t mtu;
};
constexpr Step kBlackHoleSteps[] = {{3, 1'280}, {5, 576}};

}  // namespace

void TcpEngine::on_icmp_error(const IcmpError& error) {
  const FlowKey key = keys_.make(kScratch, error.remote, error.remote_port, error.local, error.local_port);
  const uint32_t value = find_flow(key, hash_of(key));
  const bool connected = value != kNoIndex && static_cast<Kind>(value >> kKindShift) == Kind::connection;
  if (!connected) return count(Counter::drop_icmp_error);
  Tcb& c = tcbs_.at(value & kSlotMask);
  Busy* const b = busy_of(c);
  // RFC 5927 4.1: it is about a segment in flight.
  const bool known = seq_le(c.snd_una, error.seq) && seq_lt(error.seq, c.snd_nxt);
  if (b == nullptr || !known) return count(Counter::drop_icmp_error);
  if (c.state == TcpState::syn_sent) return on_open_error(c, error);
  if (error.kind == IcmpError::Kind::too_big) return on_too_big(c, *b, error);
  b->mark(kSoftError);  // RFC 5927 5.2: hard errors too, once there is a connection
}

/// RFC 1122 4.2.3.9: what will not pass ends the attempt, the rest is told when it has timed out.
void TcpEngine::on_open_error(Tcb& c, const IcmpError& error) {
  switch (error.kind) {
    case IcmpError::Kind::refused:
      return finish(c, CloseReason::refused);
    case IcmpError::Kind::prohibited:
      return finish(c, CloseReason::unreachable);
    default:
      return busy_.at(c.busy).mark(kSoftError);
  }
}

/// RFC 1191 6.4, RFC 8201 5.4: what was too long is lost, whoever reports it, and says nothing about congestion.
void TcpEngine::on_too_big(Tcb& c, Busy& b, const IcmpError& error) {
  if (error.mtu >= error.length || !lower_mss(c, error.mtu)) return count(Counter::drop_icmp_error);
  for (Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
    if (p->payload_length > c.mss) mark_lost(b, p);
  }
  output(c);
}

uint16_t TcpEngine::mss_of(const Tcb& c, uint16_t mtu) const {
  return static_cast<uint16_t>(mtu - (c.key.ipv6() ? 60 : 40) - (c.has(kTimestamps) ? 12 : 0));
}

/// True: it is smaller now. A claim of less than IPv6 guarantees is none (RFC 8201 4).
bool TcpEngine::lower_mss(Tcb& c, uint16_t mtu) {
  if (c.key.ipv6() && mtu < kIpv6MtuMin) return false;
  const uint16_t mss = mss_of(c, std::max(mtu, kMtuMin));
  if (mss >= c.mss) return false;
  lowered_.add(handle_of(c), c.mss, deadline(kRaiseAfterMs));
  c.mss = mss;
  count(Counter::path_mtu_lowered);
  return true;
}

/// A long segment timed out again and again, and no router says why: a shorter one may get through.
void TcpEngine::suspect_black_hole(Tcb& c, Busy& b) {
  for (const Step& step : kBlackHoleSteps) {
    if (b.retries != step.retries || b.retransmit.empty()) continue;
    const bool may_fit = b.retransmit.front()->payload_length > mss_of(c, step.mtu);
    if (may_fit && lower_mss(c, step.mtu)) count(Counter::path_mtu_black_holes);
  }
}

void TcpEngine::raise_mss() {
  while (const LoweredMss::Entry* const entry = lowered_.oldest()) {
    if (!due(entry->deadline_ms)) return;
    Tcb* const c = find_alive(entry->handle);
    if (c != nullptr && c->mss < std::min(entry->mss, largest_mss(*c))) {
      c->mss = std::min(entry->mss, largest_mss(*c));
      Busy* const b = busy_of(*c);
      if (b != nullptr) b->congestion.cwnd = std::max<uint32_t>(b->congestion.cwnd, c->mss);  // else nothing would fit
      count(Counter::path_mtu_raised);
    }
    lowered_.drop_oldest();
  }
}

/// Cuts a segment of the retransmission queue to `length` bytes; the rest follows it there, and is what it was. False: no
/// packet is free. Frames that a port still holds are not touched.
bool TcpEngine::cut(Busy& b, Packet* packet, uint16_t length) {
  const uint8_t flags = packet->tx_flags;
  Packet* const rest = split(packet, length);
  if (rest == nullptr) return false;
  packet->tx_flags = static_cast<uint8_t>(flags & ~(kTxMessageEnd | kTxFin));
  rest->tx_flags = static_cast<uint8_t>(flags & ~kTxQueued);
  rest->sequence = packet->sequence + length;
  rest->delivered = packet->delivered;
  rest->tx_count = packet->tx_count;
  rest->sent_us = packet->sent_us;
  rest->tcp_stamp = packet->tcp_stamp;
  b.retransmit.insert_after(packet, rest);
  return true;
}

}  // namespace qstack
