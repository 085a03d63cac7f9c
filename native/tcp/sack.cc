// SACK: the scoreboard (RFC 2018, RFC 6675) and D-SACK (RFC 2883) as the sender reads them.
// The scoreboard is the flags of the packets in the retransmission queue, and two sums in Busy.
#include "native/tcp/engine.hh"

namespace qstack {

/// RFC 2883 4: the first block repeats what is acknowledged, or lies in the second one.
bool TcpEngine::reports_duplicate(const TcpSegment& s) {
  const SackBlock& first = s.options.sack[0];
  if (!seq_lt(first.first, first.end)) return false;
  if (seq_le(first.end, s.ack)) return true;
  if (s.options.sack_count < 2) return false;
  const SackBlock& second = s.options.sack[1];
  return seq_le(second.first, first.first) && seq_le(first.end, second.end);
}

void TcpEngine::take_sack(Tcb& c, Busy& b, const TcpSegment& s, AckNews& news) {
  const uint8_t first = reports_duplicate(s) ? 1 : 0;
  if (first == 1) take_duplicate_report(c, b, s.options.sack[0], news);
  for (uint8_t i = first; i < s.options.sack_count; ++i) {
    const SackBlock& block = s.options.sack[i];
    const bool sane = seq_lt(block.first, block.end) && seq_gt(block.first, s.ack) && seq_le(block.end, c.snd_nxt);
    if (sane) take_block(c, b, s, block, news);
  }
}

/// A segment that lies wholly in a reported block is sacked.
void TcpEngine::take_block(Tcb& c, Busy& b, const TcpSegment& s, const SackBlock& block, AckNews& news) {
  for (Packet* p = b.retransmit.front(); p != nullptr && seq_lt(p->sequence, block.end); p = b.retransmit.after(p)) {
    if ((p->tx_flags & kTxSacked) || seq_lt(p->sequence, block.first) || seq_gt(sequence_end(*p), block.end)) continue;
    const uint32_t length = sequence_length(*p);
    if (p->tx_flags & kTxLost) b.lost_bytes -= length;
    p->tx_flags = static_cast<uint8_t>((p->tx_flags & ~kTxLost) | kTxSacked);
    b.sacked_bytes += length;
    b.delivered += length;
    news.delivered += length;
    ++news.segments;
    if (p->tx_count == 1) sample_delivery(b, *p, news);
    rack_delivered(c, b, *p, s, news);
  }
}

/// Something arrived twice: our last retransmission may have been for nothing (RFC 2883 5, RFC 8985 5.2 step 4).
void TcpEngine::take_duplicate_report(Tcb& c, Busy& b, const SackBlock& block, AckNews& news) {
  if (b.marked(kProbeOut) && block.end == b.tlp_end) {
    news.probe_duplicate = true;
    return;
  }
  const bool ours = b.episode.flight != 0 && seq_ge(block.first, b.episode.marker) && seq_le(block.end, c.snd_nxt);
  if (!ours || b.episode.repeats == 0) return;
  count(Counter::spurious_retransmits);
  widen_reordering_window(c, b);
  if (--b.episode.repeats == 0) undo_reduction(c, b);
}

/// An ACK from before snd_una tells no news but a D-SACK.
void TcpEngine::take_old_ack(Tcb& c, Busy& b, const TcpSegment& s) {
  if (!c.has(kSackPermitted) || s.options.sack_count == 0 || !reports_duplicate(s)) return;
  AckNews news{};
  take_duplicate_report(c, b, s.options.sack[0], news);
}

}  // namespace qstack
