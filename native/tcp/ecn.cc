// ECN as the receiver sees it: what the network marked, echoed to the sender (RFC 3168 6.1.3; for DCTCP RFC 8257 3.2).
// The sender's half: recovery.cc reduces, transmit.cc sets ECT and CWR.
#include "native/tcp/engine.hh"
#include "native/wire/ecn.hh"

namespace qstack {

/// For a segment in the window, before its data are taken.
void TcpEngine::take_congestion_marks(Tcb& c, const Arrival& arrival) {
  if (!c.has(kEcn)) return;
  const TcpSegment& s = arrival.segment;
  const bool marked = ecn_of(arrival.packet->data + arrival.packet->l3) == kEcnCongestion;
  if (marked) count(Counter::ce_in);
  if (option_of(c, TcpOption::congestion) == static_cast<uint32_t>(Congestion::dctcp)) {
    if (s.payload_length != 0 && marked != c.has(kEceDue)) change_echo(c, marked);
    return;
  }
  if (s.flags & kCwr) c.clear(kEceDue);
  if (marked) c.set(kEceDue);
}

/// Each ACK of DCTCP speaks for segments of one kind: what is owed for those before leaves first.
void TcpEngine::change_echo(Tcb& c, bool marked) {
  if (c.has(kAckNow) || c.has(kAckDelayed)) send_ack(c);
  if (marked) {
    c.set(kEceDue);
  } else {
    c.clear(kEceDue);
  }
}

/// RFC 3168 6.1.1: what our SYN asks for. A SYN that is sent again does not: something on the path may drop such.
uint8_t TcpEngine::syn_ecn_flags(uint8_t retries) const {
  return config_.ecn == EcnMode::on && retries == 0 ? kEce | kCwr : 0;
}

/// What a SYN (`asked`: that of a peer) or a SYN-ACK says: both bits ask, ECE alone agrees.
bool TcpEngine::agrees_on_ecn(const TcpSegment& s, bool asked) const {
  const uint8_t bits = s.flags & (kEce | kCwr);
  return config_.ecn != EcnMode::off && bits == (asked ? (kEce | kCwr) : kEce);
}

}  // namespace qstack
