// Sums of a connection that asks for them (TcpOption::sums): sums.hh says what is counted. Called where kSums is set only.
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {

/// As the connection's options say; without room for one more the connection goes on without.
void TcpEngine::choose_sums(Tcb& c) {
  const bool wanted = option_of(c, TcpOption::sums) != 0;
  if (wanted == c.has(kSums)) return;
  if (!wanted) {
    c.clear(kSums);
    return sums_.remove(slot_of(c));
  }
  Sums* const sums = sums_.add(slot_of(c));
  if (sums == nullptr) return count(Counter::sums_refused);
  c.set(kSums);
  sums->data_sent_ms = sums->data_received_ms = sums->ack_received_ms = now_ms_;
}

void TcpEngine::sum_in(const Tcb& c, const TcpSegment& s) {
  Sums& sums = sums_.at(slot_of(c));
  ++sums.segs_in;
  if (s.flags & kAck) sums.ack_received_ms = now_ms_;
  if (c.has(kSackPermitted) && s.options.sack_count != 0 && reports_duplicate(s)) ++sums.dsack_dups;
  if (s.payload_length == 0) return;
  ++sums.data_segs_in;
  sums.data_received_ms = now_ms_;
}

void TcpEngine::sum_out(const Tcb& c, uint16_t payload, bool repeated) {
  Sums& sums = sums_.at(slot_of(c));
  ++sums.segs_out;
  if (repeated) ++sums.retransmits;
  if (payload == 0) return;
  ++sums.data_segs_out;
  sums.data_sent_ms = now_ms_;
  sums.bytes_sent += payload;
  if (repeated) sums.bytes_retrans += payload;
}

void TcpEngine::sum_delivered(const Tcb& c, const TcpSegment& s) {
  Sums& sums = sums_.at(slot_of(c));
  ++sums.delivered;
  if (c.has(kEcn) && (s.flags & kEce)) ++sums.delivered_ce;
}

void TcpEngine::describe_sums(const Tcb& c, TcpInfo& info) const {
  if (!c.has(kSums)) return;
  const Sums& sums = sums_.at(slot_of(c));
  info.sums = 1;
  info.bytes_sent = sums.bytes_sent;
  info.bytes_retrans = sums.bytes_retrans;
  info.bytes_acked = sums.bytes_acked;
  info.bytes_received = sums.bytes_received;
  info.segs_out = sums.segs_out;
  info.segs_in = sums.segs_in;
  info.data_segs_out = sums.data_segs_out;
  info.data_segs_in = sums.data_segs_in;
  info.total_retrans = std::max<uint32_t>(info.total_retrans, sums.retransmits);
  info.delivered = sums.delivered;
  info.delivered_ce = sums.delivered_ce;
  info.dsack_dups = sums.dsack_dups;
  info.reord_seen = sums.reord_seen;
  info.rcv_ooopack = sums.rcv_ooopack;
  info.last_data_sent_ms = now_ms_ - sums.data_sent_ms;
  info.last_data_recv_ms = now_ms_ - sums.data_received_ms;
  info.last_ack_recv_ms = now_ms_ - sums.ack_received_ms;
}

}  // namespace qstack
