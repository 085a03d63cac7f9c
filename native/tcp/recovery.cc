// Loss recovery: which segments are taken as lost, and when an episode begins and ends. Sending them again is output's.
// Read first: RFC 6675 (with SACK), RFC 6582 (NewReno, without), RFC 2018 8.
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {
namespace {

constexpr uint8_t kDupThresh = 3;  // RFC 5681 3.2

}  // namespace

/// The scoreboard: a segment that lies wholly in a reported block is sacked.
void TcpEngine::take_sack(Tcb& c, Busy& b, const TcpSegment& s) {
  bool news = false;
  for (uint8_t i = 0; i < s.options.sack_count; ++i) {
    const SackBlock& block = s.options.sack[i];
    const bool sane = seq_lt(block.first, block.end) && seq_gt(block.first, c.snd_una) && seq_le(block.end, c.snd_nxt);
    if (!sane) continue;
    for (Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
      const Seq end = p->sequence + p->payload_length;
      if (seq_ge(p->sequence, block.end)) break;
      if ((p->tx_flags & kTxSacked) || seq_lt(p->sequence, block.first) || seq_gt(end, block.end)) continue;
      if (p->tx_flags & kTxLost) b.lost_bytes -= p->payload_length;
      p->tx_flags = static_cast<uint8_t>((p->tx_flags & ~kTxLost) | kTxSacked);
      b.sacked_bytes += p->payload_length;
      news = true;
    }
  }
  if (!news) return;
  mark_lost_by_sack(c, b);
  if (b.recovery == RecoveryKind::none && b.lost_bytes != 0) enter_recovery(c, b);
}

/// IsLost of RFC 6675 4: DupThresh segments, or more than (DupThresh - 1) SMSS bytes, are sacked above it.
void TcpEngine::mark_lost_by_sack(Tcb& c, Busy& b) {
  uint32_t segments_above = 0;
  for (Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
    if (p->tx_flags & kTxSacked) ++segments_above;
  }
  uint32_t bytes_above = b.sacked_bytes;
  for (Packet* p = b.retransmit.front(); p != nullptr && segments_above != 0; p = b.retransmit.after(p)) {
    if (p->tx_flags & kTxSacked) {
      --segments_above;
      bytes_above -= p->payload_length;
    } else if (segments_above >= kDupThresh || bytes_above > uint32_t{kDupThresh - 1} * c.mss) {
      mark_lost(b, p);
    }
  }
}

void TcpEngine::mark_lost(Busy& b, Packet* packet) {
  if (packet->tx_flags & (kTxSacked | kTxLost | kTxRetransmitted)) return;
  packet->tx_flags |= kTxLost;
  b.lost_bytes += packet->payload_length;
}

void TcpEngine::duplicate_ack(Tcb& c, Busy& b, const TcpSegment&) {
  if (b.duplicate_acks < 255) ++b.duplicate_acks;
  const bool by_sack = c.has(kSackPermitted) && b.sacked_bytes != 0;
  if (b.recovery == RecoveryKind::fast) {
    if (!by_sack) b.congestion.cwnd += c.mss;  // RFC 6582 3.2 step 3: one segment has left the network
    return;
  }
  if (b.recovery != RecoveryKind::none || b.duplicate_acks < kDupThresh || b.retransmit.empty()) return;
  // RFC 6582 3.2 step 2: not again for losses of the window that the last recovery repaired.
  if (!by_sack && seq_le(c.snd_una, b.recover)) return;
  mark_lost(b, b.retransmit.front());
  enter_recovery(c, b);
  if (!by_sack) b.congestion.cwnd += kDupThresh * c.mss;
}

void TcpEngine::enter_recovery(Tcb& c, Busy& b) {
  count(Counter::fast_retransmits);
  congestion_.lost(b.congestion, c.mss, in_flight(c), now_us_);
  b.recovery = RecoveryKind::fast;
  b.recover = c.snd_nxt;
}

/// New data was acknowledged: grow, go on repairing, or end the episode.
void TcpEngine::recovery_progress(Tcb& c, Busy& b, Seq ack, uint32_t acked) {
  b.duplicate_acks = 0;
  if (b.recovery == RecoveryKind::none) return congestion_.acked(b.congestion, c.mss, acked, now_us_);
  if (seq_ge(ack, b.recover)) {
    if (b.recovery == RecoveryKind::fast) {
      const uint32_t flight = std::max<uint32_t>(in_flight(c), c.mss);
      b.congestion.cwnd = std::min(b.congestion.ssthresh, flight + c.mss);  // RFC 6582 3.2 step 3, full ACK (1)
    }
    b.recovery = RecoveryKind::none;
    return;
  }
  if (b.recovery == RecoveryKind::timeout) return congestion_.acked(b.congestion, c.mss, acked, now_us_);
  if (b.retransmit.empty()) return;
  // A partial ACK: the next segment is lost as well.
  if (b.sacked_bytes == 0) {
    const uint32_t deflated = b.congestion.cwnd > acked ? b.congestion.cwnd - acked : 0;
    b.congestion.cwnd = deflated + c.mss;
    mark_lost(b, b.retransmit.front());
  } else {
    mark_lost_by_sack(c, b);
  }
}

/// After a timeout everything not acknowledged is sent again; SACK information may be reneged on (RFC 2018 8).
void TcpEngine::mark_all_lost(Busy& b) {
  b.sacked_bytes = 0;
  b.lost_bytes = 0;
  for (Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
    p->tx_flags = static_cast<uint8_t>((p->tx_flags & kTxMessageEnd) | kTxLost);
    b.lost_bytes += p->payload_length;
  }
}

}  // namespace qstack
