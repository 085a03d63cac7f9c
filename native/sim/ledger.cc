#include "native/sim/ledger.hh"

#include <cstdio>
#include <cstring>

namespace qstack::sim {
namespace {

uint64_t iss_key(uint8_t host, uint16_t port, Seq iss) { return uint64_t{host} << 48 | uint64_t{port} << 32 | iss; }

}  // namespace

void Ledger::note_breach(const char* sentence, const Attempt* attempt, uint8_t side) {
  if (broken()) return;
  sentence_ = sentence;
  detail_ = "at " + std::to_string(static_cast<double>(now_ - plan_.start) / 1e6) + " ms";
  if (attempt == nullptr) return;
  const Side& s = attempt->side[side];
  detail_ += ", transfer " + std::to_string(attempt->plan->number) + ", connection " + std::to_string(attempt->number) +
             ", side " + std::to_string(side) + " on host " + std::to_string(s.host) + ": sent " +
             std::to_string(s.sent) + " of " + std::to_string(attempt->plan->side[side].bytes) + ", delivered " +
             std::to_string(s.delivered) + " of " + std::to_string(attempt->plan->side[1 - side].bytes) +
             (s.opened ? ", opened" : "") + (s.shut ? ", shut" : "") + (s.ended ? ", ended" : "") +
             (s.closed ? ", closed for reason " + std::to_string(static_cast<int>(s.reason)) : "");
}

uint64_t Ledger::flow_key(uint8_t client, uint16_t port, uint8_t server, uint16_t server_port, bool ipv6) const {
  return uint64_t{port} << 32 | uint64_t{server_port} << 16 | client << 8 | server << 1 | (ipv6 ? 1 : 0);
}

Attempt& Ledger::begin(uint32_t transfer, uint8_t host, uint32_t life, Handle handle, uint16_t port, Seq iss) {
  Attempt& a = attempts_.emplace_back();
  a.number = static_cast<uint32_t>(attempts_.size() - 1);
  a.transfer = transfer;
  a.plan = &plan_.transfers[transfer];
  a.port = port;
  Side& s = a.side[0];
  s.handle = handle;
  s.host = host;
  s.life = life;
  s.iss = iss;
  a.side[1].host = a.plan->host[1];
  a.side[1].recv_max = iss;
  flows_[flow_key(host, port, a.plan->host[1], static_cast<uint16_t>(kFirstPort + a.plan->framing[1]), a.plan->ipv6)]
      .client = a.number;
  by_iss_[iss_key(host, port, iss)] = a.number;
  return a;
}

Attempt* Ledger::accepted(uint8_t client, uint8_t server, const Opened& event, Seq irs) {
  const auto found = by_iss_.find(iss_key(client, event.remote.port, irs));
  if (!require(found != by_iss_.end(), "a connection that is accepted was asked for")) return nullptr;
  const bool ipv6 = !event.remote.address.is_ipv4();
  flows_[flow_key(client, event.remote.port, server, event.local.port, ipv6)].server = found->second;
  return &attempts_[found->second];
}

/// What the SYNs told; the rest comes from the wire.
void Ledger::opened(Attempt& a, uint8_t side, const Tcb& c) {
  Side& s = a.side[side];
  s.opened = true;
  s.iss = c.snd_nxt - 1;
  s.irs = c.rcv_nxt - 1;
  s.rcv_wscale = c.has(kWindowScaled) ? c.rcv_wscale() : 0;
  s.snd_max = s.iss + 1;
  s.snd_una = c.snd_una;
  s.snd_nxt = c.snd_nxt;
  s.rcv_nxt = c.rcv_nxt;
  s.rcv_adv = c.rcv_adv;
  s.last_ack = c.rcv_nxt;
  s.edge_out = c.rcv_nxt;
  s.edge_in = c.snd_nxt + c.snd_wnd;
  if (side == 0) s.recv_max = c.rcv_nxt;
  for (const Seq edge : s.early_edges) s.edge_in = seq_max(s.edge_in, edge);
  s.early_edges.clear();
}

void Ledger::crashed(uint8_t host) {
  for (Attempt& a : attempts_) {
    if (a.side[0].host == host || a.side[1].host == host) a.doomed = true;
    for (Side& side : a.side) side.gone |= side.host == host;
  }
}

bool Ledger::one_level(const Attempt& a, uint8_t side) const {
  return plan_.hosts[a.side[side].host].config.tcp.levels == 1;
}

Note Ledger::sent(const SegmentView& segment) {
  ++segments_;
  const TcpSegment& s = segment.header;
  digest_ =
      mix(digest_ ^ now_ ^ uint64_t{s.seq} << 32 ^ s.ack ^ uint64_t{segment.ip_length} << 17 ^ uint64_t{s.flags} << 9);
  const bool from_client = s.destination_port < kFirstPort + kFramingCount;
  if (trace_) trace(segment, from_client);
  const uint64_t key = from_client
                           ? flow_key(segment.from, s.source_port, segment.to, s.destination_port, segment.ipv6)
                           : flow_key(segment.to, s.destination_port, segment.from, s.source_port, segment.ipv6);
  const auto found = flows_.find(key);
  if (!require(found != flows_.end(), "a segment belongs to a connection that somebody asked for")) return {};
  const uint8_t side = from_client ? 0 : 1;
  if ((s.flags & (kSyn | kRst)) == kSyn) {
    Attempt& a = attempts_[found->second.client];
    const bool its = from_client ? s.seq == a.side[0].iss : s.ack == a.side[0].iss + 1;
    return its ? sent_syn(a, side, segment) : Note{};
  }
  const uint32_t number = from_client ? found->second.client : found->second.server;
  // A half-open record of a newer connection answers as well, before the app is told of it.
  const bool newer = number != kNoAttempt && number != found->second.client && attempts_[number].side[1].closed;
  if (newer || number == kNoAttempt) return {};
  if (!(s.flags & kRst)) return sent_by(attempts_[number], side, segment);
  Side& me = attempts_[number].side[side];
  me.reset_out |= me.opened && (s.flags & kAck) && s.seq != 0;  // else it answers a stranger (RFC 9293 3.5.2)
  return {};
}

/// One line on stderr, with sequence numbers from the beginning of the connection on.
void Ledger::trace(const SegmentView& segment, bool from_client) const {
  const TcpSegment& s = segment.header;
  const uint16_t port = from_client ? s.source_port : s.destination_port;
  const Attempt* attempt = nullptr;
  for (const Attempt& a : attempts_) {
    if (a.port == port && a.side[0].host == (from_client ? segment.from : segment.to)) attempt = &a;
  }
  Seq own = 0, other = 0;
  if (attempt != nullptr) {
    const Side& me = attempt->side[from_client ? 0 : 1];
    const Side& peer = attempt->side[from_client ? 1 : 0];
    own = me.opened || from_client ? me.iss : s.seq;
    other = peer.opened || !from_client ? peer.iss : s.ack - 1;
  }
  constexpr char kNames[] = "FSRPAUEC";
  std::string flags;
  for (int bit = 0; bit < 8; ++bit) {
    if (s.flags & (1 << bit)) flags += kNames[bit];
  }
  std::fprintf(stderr, "%12.3f ms  %u>%u connection %d  %-4s seq %u len %u ack %u win %u",
               static_cast<double>(now_ - plan_.start) / 1e6, segment.from, segment.to,
               attempt == nullptr ? -1 : static_cast<int>(attempt->number), flags.c_str(), s.seq - own,
               s.payload_length, (s.flags & kAck) ? s.ack - other : 0, s.window);
  for (uint8_t i = 0; i < s.options.sack_count; ++i) {
    std::fprintf(stderr, " sack %u-%u", s.options.sack[i].first - other, s.options.sack[i].end - other);
  }
  std::fprintf(stderr, "\n");
}

Note Ledger::sent_syn(Attempt& a, uint8_t side, const SegmentView& segment) {
  const TcpSegment& s = segment.header;
  require(s.payload_length == 0 && !(s.flags & kFin), "a SYN of ours carries no data", &a, side);
  const TcpConfig& tcp = plan_.hosts[segment.from].config.tcp;
  require(!s.options.sack_permitted || tcp.sack, "SACK is offered only where it is configured", &a, side);
  require(!s.options.has_timestamps || tcp.timestamps, "timestamps are offered only where they are configured", &a,
          side);
  Note note;
  note.attempt = a.number;
  note.side = side;
  note.iss = s.seq;
  note.end = s.seq + 1;
  return note;
}

Note Ledger::sent_by(Attempt& a, uint8_t side, const SegmentView& segment) {
  Side& me = a.side[side];
  if (!me.opened) return {};
  const TcpSegment& s = segment.header;
  const HostPlan& from = plan_.hosts[segment.from];
  const HostPlan& to = plan_.hosts[segment.to];
  require(segment.ip_length <= std::min(from.config.ip.mtu, to.config.ip.mtu),
          "a segment fits into the MTU of both ends (RFC 9293 3.7.1)", &a, side);
  Note note;
  note.attempt = a.number;
  note.side = side;
  note.iss = me.iss;
  note.end = s.seq + s.sequence_length();
  note.again = seq_le(note.end, me.snd_max);
  if (note.again) note.sent_behind = me.snd_max - note.end - (me.fin_out && note.end != me.snd_max ? 1 : 0);
  note_acknowledgment(me, s, note);
  if (a.reborn && side == 1) return note;
  if (s.payload_length != 0 || (s.flags & kFin)) check_text(a, side, segment);
  if (note.acknowledges) check_acknowledgment(a, side, segment, note.edge);
  return note;
}

void Ledger::check_text(Attempt& a, uint8_t side, const SegmentView& segment) {
  Side& me = a.side[side];
  const TcpSegment& s = segment.header;
  const Seq end = s.seq + s.payload_length;
  const uint32_t place = s.seq - (me.iss + 1);
  require(seq_gt(s.seq, me.iss), "data follow the SYN", &a, side);
  require(!me.reset_out || plan_.resolves, "no data follow the RST that ends their connection", &a, side);
  // What waits for a neighbour may be dropped before it gets here.
  const bool in_order = one_level(a, side) && !plan_.resolves;
  require(!in_order || seq_le(s.seq, me.snd_max), "no byte is skipped", &a, side);
  require(place + s.payload_length <= me.sent, "no byte is sent that the app did not write", &a, side);
  require(s.payload_length == 0 || seq_le(end, me.edge_in),
          "no byte lies beyond the window that was offered (RFC 9293 3.8.6)", &a, side);
  require(!me.fin_out || seq_le(end, me.fin_seq), "no byte follows a FIN", &a, side);
  if (s.flags & kFin) {
    require(me.shut || me.given_up, "a FIN follows the app's close", &a, side);
    require(place + s.payload_length == me.sent, "a FIN follows the last byte", &a, side);
    me.fin_out = true;
    me.fin_seq = end;
  }
  me.snd_max = seq_max(me.snd_max, end + ((s.flags & kFin) ? 1 : 0));
  const bool by_length = kFramings[a.plan->framing[1 - side]].framing == Framing::length_prefix;
  if (a.plan->side[side].levels > 1 || by_length) return;
  require(std::memcmp(segment.payload(), pattern_.at(key_of(a, side), place), s.payload_length) == 0,
          "a segment carries the bytes of its sequence numbers, each time it is sent", &a, side);
}

void Ledger::note_acknowledgment(const Side& me, const TcpSegment& s, Note& note) const {
  if (!(s.flags & kAck)) return;
  note.acknowledges = true;
  note.ack = s.ack;
  note.edge = s.ack + (uint32_t{s.window} << me.rcv_wscale);
}

void Ledger::check_acknowledgment(Attempt& a, uint8_t side, const SegmentView& segment, Seq edge) {
  Side& me = a.side[side];
  const TcpSegment& s = segment.header;
  require(seq_le(s.ack, me.recv_max), "nothing is acknowledged that has not arrived", &a, side);
  for (uint8_t i = 0; i < s.options.sack_count; ++i) {
    const SackBlock& block = s.options.sack[i];
    require(seq_lt(block.first, block.end) && seq_le(block.end, me.recv_max),
            "nothing is reported by SACK that has not arrived (RFC 2018 4)", &a, side);
  }
  if (me.closed) return;  // TIME-WAIT has a window of its own
  if (one_level(a, side)) {
    require(seq_ge(s.ack, me.last_ack), "acknowledgments do not go back", &a, side);
    const uint32_t rounding = (1u << me.rcv_wscale) - 1;  // RFC 7323 2.4
    require(seq_ge(edge + rounding, me.edge_out), "the right edge of the window does not move back", &a, side);
  }
  me.last_ack = seq_max(me.last_ack, s.ack);
  me.edge_out = seq_max(me.edge_out, edge);
}

void Ledger::arrived(const Note& note, bool rewritten) {
  if (note.attempt == kNoAttempt) return;
  Attempt& a = attempts_[note.attempt];
  a.altered |= rewritten;
  a.doomed |= rewritten;
  const uint8_t side = 1 - note.side;
  Side& me = a.side[side];
  if (side == 0 && (!me.opened || note.iss != me.irs)) return;
  me.recv_max = seq_max(me.recv_max, note.end);
  if (!note.acknowledges) return;
  if (me.opened) {
    if (seq_within(note.ack, me.iss + 1, 1u << 31)) me.edge_in = seq_max(me.edge_in, note.edge);
  } else if (me.early_edges.size() < 64) {
    me.early_edges.push_back(note.edge);
  }
}

void Ledger::look(Attempt& a, uint8_t side, const Tcb& c, const Busy* b) {
  Side& me = a.side[side];
  require(seq_ge(c.snd_una, me.snd_una), "SND.UNA does not go back", &a, side);
  require(seq_ge(c.snd_nxt, me.snd_nxt), "SND.NXT does not go back", &a, side);
  require(seq_ge(c.rcv_nxt, me.rcv_nxt), "RCV.NXT does not go back", &a, side);
  require(seq_ge(c.rcv_adv, me.rcv_adv), "the window's right edge does not move back", &a, side);
  require(seq_le(c.snd_una, c.snd_nxt), "SND.UNA is not beyond SND.NXT", &a, side);
  require(seq_le(c.rcv_nxt, c.rcv_adv), "RCV.NXT is not beyond the window", &a, side);
  const uint32_t buffer = plan_.hosts[me.host].config.tcp.receive_buffer;
  require(c.rcv_adv - c.rcv_nxt <= buffer, "the window is not wider than the receive buffer", &a, side);
  require(c.snd_nxt - c.snd_una <= 1u << 30, "what is in flight fits into a window (RFC 7323 2.3)", &a, side);
  me.snd_una = c.snd_una;
  me.snd_nxt = c.snd_nxt;
  me.rcv_nxt = c.rcv_nxt;
  me.rcv_adv = c.rcv_adv;
  check_against_app(a, side, c, b);
  check_against_peer(a, side, c);
}

void Ledger::check_against_app(const Attempt& a, uint8_t side, const Tcb& c, const Busy* b) {
  const Side& me = a.side[side];
  const uint32_t unsent = b == nullptr ? 0 : b->unsent_bytes;
  const uint32_t numbered = c.snd_nxt - (me.iss + 1) - (c.has(kFinSent) ? 1 : 0);
  require(static_cast<uint32_t>(me.sent) == numbered + unsent, "every byte that the app wrote is sent or waits", &a,
          side);
  require(b != nullptr || c.snd_una == c.snd_nxt, "what is in flight is kept", &a, side);
  if (b != nullptr) {
    require(b->sacked_bytes + b->lost_bytes <= c.snd_nxt - c.snd_una, "what is lost or sacked is in flight", &a, side);
    // During recovery the window follows what leaves the network (RFC 6937 3), down to nothing.
    const bool repairs = b->recovery == RecoveryKind::fast || b->recovery == RecoveryKind::timeout;
    require(repairs || b->congestion.cwnd >= c.mss, "the congestion window holds a segment", &a, side);
  }
  const uint32_t taken = c.rcv_nxt - (me.irs + 1) - (c.has(kFinReceived) ? 1 : 0);
  // Of a message that is not complete.
  const FramingPlan& framing = kFramings[a.plan->framing[side]];
  const uint32_t most = framing.framing == Framing::length_prefix ? framing.prefix.maximum : framing.fixed_length;
  const uint32_t kept_max = std::max(most, 1u) - 1;
  if (!me.given_up) require(taken - me.given.below(taken) <= kept_max, "what was acknowledged is the app's", &a, side);
}

void Ledger::check_against_peer(const Attempt& a, uint8_t side, const Tcb& c) {
  const Side& me = a.side[side];
  const Side& peer = a.side[1 - side];
  if (a.reborn || !peer.opened || peer.gone || peer.iss != me.irs || peer.irs != me.iss) return;
  require(seq_le(c.snd_una, peer.rcv_nxt), "nothing is taken as acknowledged that the peer does not have", &a, side);
  require(seq_le(c.rcv_nxt, seq_max(peer.snd_nxt, peer.snd_max)),
          "nothing has been received that the peer did not send", &a, side);
}

void Ledger::look_into_queues(const Attempt& a, uint8_t side, const Tcb& c, const Busy& b) {
  Seq next = c.snd_una;
  uint32_t sacked = 0, lost = 0, unsent = 0;
  for (const Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
    require(p->sequence == next, "the retransmission queue has no gap", &a, side);
    next = sequence_end(*p);
    if (p->tx_flags & kTxSacked) sacked += sequence_length(*p);
    if (p->tx_flags & kTxLost) lost += sequence_length(*p);
  }
  require(next == c.snd_nxt, "the retransmission queue ends at SND.NXT", &a, side);
  require(sacked == b.sacked_bytes && lost == b.lost_bytes, "what is sacked or lost is counted", &a, side);
  for (const PacketQueue& queue : b.unsent) {
    for (const Packet* p = queue.front(); p != nullptr; p = queue.after(p)) unsent += p->payload_length;
  }
  require(unsent == b.unsent_bytes, "what waits to be sent is counted", &a, side);
  uint32_t count = 0;
  Seq from = c.rcv_nxt;
  for (const Packet* p = b.out_of_order; p != nullptr; p = p->next, ++count) {
    require(p->payload_length != 0 && seq_ge(p->sequence, from), "what came out of order is kept in order, once", &a,
            side);
    from = p->sequence + p->payload_length;
  }
  require(count == b.out_of_order_count, "what came out of order is counted", &a, side);
}

void Ledger::look_into_early(const Attempt& a, uint8_t side, const Tcb& c, std::span<const SackBlock> early) {
  const Side& me = a.side[side];
  Seq from = c.rcv_nxt;
  for (const SackBlock& range : early) {
    const uint32_t place = range.first - (me.irs + 1), end = range.end - (me.irs + 1);
    require(seq_ge(range.first, from) && place < end, "what was handed over early is kept in order, and apart", &a, side);
    require(me.given.has(place, end), "what counts as handed over early is the app's", &a, side);
    require(seq_le(range.end, c.rcv_adv), "what was handed over early lies in the window", &a, side);
    from = range.end + 1;
  }
}

}  // namespace qstack::sim
