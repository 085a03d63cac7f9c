#include "native/sim/network.hh"

#include <cstring>

#include "native/sim/pieces.hh"
#include "native/sim/too_big.hh"
#include "native/wire/ecn.hh"

namespace qstack::sim {
namespace {

constexpr uint64_t kPurpose = 100;
/// One segment in so many is tampered with, where a fault is planted.
constexpr uint32_t kPlantedPpm = 20'000;
/// Level and length of a message are here (native/sim/sim_app.cc).
constexpr uint32_t kRewrittenHead = 3;
/// A segment that is rewritten may take in so many bytes of what comes behind it.
constexpr uint32_t kRewrittenMore = 200;
/// Pieces of a segment are apart by so much at most, and one in so many is lost.
constexpr uint32_t kPiecesApartUs = 2'000, kPieceLossPpm = 50'000;
/// Preamble, frame check sequence and gap.
constexpr uint32_t kWireOverhead = 24;

}  // namespace

Network::Network(const Plan& plan, FrameStore& store) : plan_(plan), store_(store), random_(plan.seed, kPurpose) {}

Network::~Network() {
  for (uint8_t host = 0; host < kHostsMax; ++host) forget(host);
}

void Network::forget(uint8_t host) {
  auto& arriving = lanes_[host].arriving;
  for (; !arriving.empty(); arriving.pop()) store_.give(arriving.top());
}

void Network::heal() {
  for (Lane& lane : lanes_) {
    lane.weather = {};
    lane.burst_left = 0;
  }
}

void Network::send(uint8_t from, const uint8_t* bytes, uint16_t length, const Note& note, Nanos now) {
  const HostPlan& host = plan_.hosts[from];
  Lane& out = lanes_[from];
  bool marked = false;
  Nanos depart = now;
  if (host.bytes_per_second != 0) {
    const Nanos waits = out.free_at > now ? out.free_at - now : 0;
    const uint64_t queued = waits * host.bytes_per_second / 1'000'000'000;
    if (queued + length > host.queue_bytes || dropped_early(host, queued)) return;
    marked = host.mark_bytes != 0 && queued > host.mark_bytes;
    depart = now + waits + (uint64_t{length} + kWireOverhead) * 1'000'000'000 / host.bytes_per_second;
    out.free_at = depart;
  }
  if (out.weather.down) return;
  const MacAddress to = ethernet_destination(bytes);
  for (uint8_t i = 0; i < plan_.host_count(); ++i) {
    if (i != from && (is_group(to) || to == mac_of(i))) carry(from, i, bytes, length, note, depart, marked);
  }
}

/// The fuller the queue, the likelier: a queue that drops from its tail alone locks out whoever comes in bursts, for as
/// long as a stream of ACKs keeps it full (RFC 7567 2.1).
bool Network::dropped_early(const HostPlan& host, uint64_t queued) {
  if (host.drop_bytes == 0 || queued <= host.drop_bytes) return false;
  return random_.chance(static_cast<uint32_t>((queued - host.drop_bytes) * 1'000'000 / (host.queue_bytes - host.drop_bytes)));
}

bool Network::lost(Lane& lane, uint16_t length) {
  const Weather& w = lane.weather;
  if (w.down || length > w.mtu + kEthernetHeader) return true;
  if (lane.burst_left != 0) return --lane.burst_left, true;
  if (random_.chance(w.bursts)) return lane.burst_left = random_.below(w.burst_frames), true;
  return random_.chance(w.loss);
}

void Network::carry(uint8_t from, uint8_t to, const uint8_t* bytes, uint16_t length, const Note& note, Nanos depart,
                    bool marked) {
  Lane& lane = lanes_[to];
  const Weather& w = lane.weather;
  if (length > w.mtu + kEthernetHeader && w.tells_mtu) return tell_too_big(from, to, bytes, length, depart);
  if (lost(lane, length)) return;
  Frame* const frame = store_.take();
  frame->length = length;
  frame->note = note;
  std::memcpy(frame->bytes, bytes, length);
  Nanos due = depart + uint64_t{plan_.hosts[from].delay_us + plan_.hosts[to].delay_us + 1} * 1'000;
  if (w.jitter_us != 0) due += uint64_t{random_.below(w.jitter_us)} * 1'000;
  if (random_.chance(w.reordering)) due += uint64_t{random_.below(w.reordering_us) + 1} * 1'000;
  if (marked || random_.chance(w.marks)) mark(*frame);
  if (plan_.plant != Plant::none) plant(*frame);
  if (random_.chance(w.duplicates)) {
    Frame* const copy = store_.take();
    copy->length = length;
    copy->note = frame->note;
    std::memcpy(copy->bytes, frame->bytes, length);
    arrive(lane, copy, due + uint64_t{random_.below(w.duplicates_us)} * 1'000);
  }
  if (note.again && random_.chance(w.rewrites)) rewrite(*frame);
  if (random_.chance(w.corruption)) corrupt(*frame);
  SegmentView segment;
  const bool cut = random_.chance(w.fragments) && read_segment(frame->bytes, frame->length, segment) == Reading::segment;
  return cut ? arrive_in_pieces(lane, frame, segment, due) : arrive(lane, frame, due);
}

/// By a router, or by one of the peer's own (IPv6), that does not ask. What the segment means arrives with its last piece.
void Network::arrive_in_pieces(Lane& lane, Frame* frame, const SegmentView& segment, Nanos due) {
  Frame* const rest = store_.take();
  cut_in_two(*frame, *rest, segment, static_cast<uint16_t>(8 * random_.between(1, (segment.tcp_length - 1u) / 8)), cuts_++);
  const bool swapped = random_.chance(500'000);
  Frame* const last = swapped ? frame : rest;
  Frame* const other = swapped ? rest : frame;
  last->note = frame->note;
  last->rewritten = frame->rewritten;
  rest->damaged = frame->damaged;
  other->note = {};
  arrive(lane, other, due);
  if (random_.chance(kPieceLossPpm)) return store_.give(last);
  arrive(lane, last, due + uint64_t{random_.below(kPiecesApartUs)} * 1'000);
}

/// From a router that does not fragment (RFC 1191 4, RFC 8201 3). The way back is as good as the way there.
void Network::tell_too_big(uint8_t from, uint8_t to, const uint8_t* bytes, uint16_t length, Nanos depart) {
  Lane& lane = lanes_[from];
  if (lanes_[to].weather.down || lost(lane, 0)) return;
  Frame* const frame = store_.take();
  frame->length = write_too_big(frame->bytes, bytes, length, static_cast<uint16_t>(lanes_[to].weather.mtu),
                                mac_of(from), mac_of(to));
  if (frame->length == 0) return store_.give(frame);
  arrive(lane, frame, depart + uint64_t{plan_.hosts[from].delay_us + 1} * 2'000);
}

void Network::arrive(Lane& lane, Frame* frame, Nanos due) {
  frame->due = due;
  frame->order = order_++;
  lane.arriving.push(frame);
}

/// One bit, which every checksum sees. Not where no checksum looks: in ARP, and in the first words of IPv6.
void Network::corrupt(Frame& frame) {
  const uint16_t type = ethernet_type(frame.bytes);
  if (type != kEtherTypeIpv4 && type != kEtherTypeIpv6) return;
  const uint32_t first = kEthernetHeader + (type == kEtherTypeIpv6 ? 8u : 0u);
  const uint32_t bit = random_.between(first * 8, frame.length * 8u - 1);
  frame.bytes[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
  frame.damaged = true;
}

/// What a peer may do that lies: other bytes for sequence numbers that it has used, and more of them, under a right
/// checksum. Most often where a message says what it is.
void Network::rewrite(Frame& frame) {
  SegmentView segment;
  if (read_segment(frame.bytes, frame.length, segment) != Reading::segment) return;
  if (segment.header.payload_length == 0) return;
  const uint32_t room = std::min({frame.note.sent_behind, kRewrittenMore, kRoom - frame.length});
  if (room != 0 && !(segment.header.flags & kFin) && random_.chance(500'000)) {
    const auto more = static_cast<uint16_t>(random_.between(1, room));
    grow(frame.bytes, segment, more);
    std::fill_n(frame.bytes + frame.length, more, uint8_t{8});
    frame.length = static_cast<uint16_t>(frame.length + more);
    frame.note.end += more;
  }
  const uint16_t length = segment.header.payload_length;
  uint8_t* const payload = segment.tcp + segment.header.header_length;
  for (uint32_t changes = random_.between(1, 3); changes != 0; --changes) {
    const uint32_t at = random_.chance(700'000) ? random_.below(kRewrittenHead) : random_.below(length);
    if (at < length) payload[at] = static_cast<uint8_t>(random_.chance(500'000) ? random_.below(8) : random_.next());
  }
  repair_checksum(segment);
  frame.rewritten = true;
}

/// A router that is congested says so, where the sender understands it (RFC 3168 5).
void Network::mark(Frame& frame) const {
  const uint16_t type = ethernet_type(frame.bytes);
  uint8_t* const ip = frame.bytes + kEthernetHeader;
  if ((type != kEtherTypeIpv4 && type != kEtherTypeIpv6) || ecn_of(ip) == kEcnNotCapable) return;
  if (type == kEtherTypeIpv6) {
    ip[1] |= kEcnCongestion << 4;
    return;
  }
  ip[1] |= kEcnCongestion;
  repair_ipv4(ip);
}

void Network::plant(Frame& frame) {
  SegmentView segment;
  if (!random_.chance(kPlantedPpm) || read_segment(frame.bytes, frame.length, segment) != Reading::segment) return;
  if (segment.header.flags & (kSyn | kRst)) return;
  if (plan_.plant == Plant::alter && segment.header.payload_length != 0) {
    segment.tcp[segment.tcp_length - 1] ^= 0x40;
  } else if (plan_.plant == Plant::forge_ack) {
    store_be32(segment.tcp + 8, segment.header.ack + 100);
  }
  repair_checksum(segment);
}

Frame* Network::take(uint8_t host, Nanos now) {
  auto& arriving = lanes_[host].arriving;
  if (arriving.empty() || arriving.top()->due > now) return nullptr;
  Frame* const frame = arriving.top();
  arriving.pop();
  return frame;
}

Nanos Network::next_arrival(uint8_t host) const {
  const auto& arriving = lanes_[host].arriving;
  return arriving.empty() ? UINT64_MAX : arriving.top()->due;
}

}  // namespace qstack::sim
