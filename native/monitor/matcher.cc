#include "native/monitor/matcher.hh"

#include <algorithm>

#include "native/wire/tcp.hh"

namespace qstack::monitor {
namespace {

/// One connection keeps no more requests without a response: a client that nobody answers takes no room from others.
constexpr uint32_t kOutstandingMax = 64;
/// Of one tick.
constexpr size_t kTailsMax = 8, kBurstsMax = 1u << 16;
/// A connection that both sides have closed is kept only for what comes again.
constexpr Nanos kClosedIdle = 2 * kSecond;

bool is_server(uint16_t port, const std::vector<uint16_t>& ports) {
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

}  // namespace

uint8_t way_of(const Segment& segment, const std::vector<uint16_t>& ports) {
  if (is_server(segment.destination_port, ports)) return static_cast<uint8_t>(Way::request);
  return is_server(segment.source_port, ports) ? static_cast<uint8_t>(Way::response) : kNoWay;
}

FlowName flow_of(const Segment& s, Way way) {
  if (way == Way::request) return {s.source, s.destination, s.source_port, s.destination_port};
  return {s.destination, s.source, s.destination_port, s.source_port};
}

/// A message, or what a segment brings of one.
struct Matcher::Message {
  const Segment& segment;
  Bytes frame;
  Way way;
  uint32_t offset;  ///< in the segment's payload
  uint32_t length;  ///< of the payload from there on, or of the message where it is known

  Seq seq() const { return segment.seq + offset; }
  Bytes bytes() const {
    const size_t at = size_t{segment.payload} + offset;
    return at < frame.size() ? frame.subspan(at) : Bytes{};
  }
};

Matcher::Matcher(const MatchConfig& config, uint32_t snapshot)
    : config_(config),
      reader_(config_),
      flows_(config.connections, config.outstanding),
      trail_(config.tail_over > 0 ? config.tail_frames : 0, snapshot),
      levels_(config.level.levels) {}

void Matcher::take(const Segment& segment, Way way, uint64_t hash, Bytes frame) {
  count(Count::segments);
  expire(segment.time);
  trail_.add(segment, hash, frame);
  const uint32_t index = flow_for(segment, way, hash);
  if (index == kNoIndex) return;
  Flow& flow = flows_.at(index);
  flow.last = std::max(flow.last, segment.time);
  if (segment.payload_length > 0 && (segment.flags & (kSyn | kRst)) == 0) data(flow, segment, way, frame);
  open_or_close(index, flow, segment, way);
}

void Matcher::expire(Nanos now) {
  for (uint32_t index = flows_.oldest(); index != kNoIndex; index = flows_.oldest()) {
    const Flow& flow = flows_.at(index);
    const Nanos idle = flow.request.ended && flow.response.ended ? std::min(kClosedIdle, config_.idle) : config_.idle;
    if (now < flow.last || now - flow.last < idle) return;
    count(Count::expired);
    remove(index);
  }
}

/// The entry of the connection; a new one for what carries data: a flood of SYNs takes no room. kNoIndex: nothing that matters.
uint32_t Matcher::flow_for(const Segment& segment, Way way, uint64_t hash) {
  const FlowName name = flow_of(segment, way);
  uint32_t index = flows_.find(name, hash);
  if (index != kNoIndex) {
    flows_.make_newest(index);
    return index;
  }
  if (segment.payload_length == 0 || (segment.flags & (kSyn | kRst)) != 0) return kNoIndex;
  if (flows_.full()) {
    count(Count::evicted);
    remove(flows_.oldest());
  }
  index = flows_.insert(name, hash);
  count(Count::connections_seen);
  return index;
}

void Matcher::open_or_close(uint32_t index, Flow& flow, const Segment& segment, Way way) {
  Side& side = way == Way::request ? flow.request : flow.response;
  if ((segment.flags & kSyn) != 0) {
    // A SYN that comes again belongs to the connection that it has opened.
    if (side.stream.known() && side.stream.end() == segment.seq + 1) return;
    if (way == Way::request) {
      forget_requests(flow);
      flow.response = Side{};
    }
    side = Side{};
    side.stream.begin(segment.seq + 1);
  } else if ((segment.flags & kRst) != 0) {
    remove(index);
  } else if ((segment.flags & kFin) != 0) {
    side.ended = true;
  }
}

void Matcher::forget_requests(Flow& flow) {
  while (flow.first_request != kNoIndex) forget_oldest(flow);
}

void Matcher::forget_oldest(Flow& flow) {
  const uint32_t oldest = flow.first_request;
  count(Count::unanswered);
  if (!config_.level.of_response) ++levels_[flows_.request(oldest).level].unanswered;
  flows_.remove_request(flow, kNoIndex, oldest);
}

void Matcher::remove(uint32_t index) {
  forget_requests(flows_.at(index));
  flows_.erase(index);
}

void Matcher::data(Flow& flow, const Segment& segment, Way way, Bytes frame) {
  Side& side = way == Way::request ? flow.request : flow.response;
  const Sight sight = side.stream.see(segment.seq, segment.payload_length);
  count_sight(way, sight);
  if (sight.fresh()) split(flow, {segment, frame, way, sight.skip, segment.payload_length - sight.skip}, sight);
}

void Matcher::count_sight(Way way, const Sight& sight) {
  const bool of_request = way == Way::request;
  if (sight.repeats()) count(of_request ? Count::request_retransmissions : Count::response_retransmissions);
  if (sight.kind == Sight::Kind::late) count(of_request ? Count::request_late : Count::response_late);
}

void Matcher::split(Flow& flow, const Message& first, const Sight& sight) {
  switch (config_.framing) {
    case Framing::fixed:
    case Framing::length_prefix: return split_by_length(flow, first, sight);
    default: return split_by_segment(flow, first, sight);
  }
}

/// One message at most begins in a segment, and it ends with PSH.
void Matcher::split_by_segment(Flow& flow, const Message& first, const Sight& sight) {
  Side& side = first.way == Way::request ? flow.request : flow.response;
  const Seq end = first.segment.end();
  const bool continues = side.going_on && side.boundary == first.seq();
  const bool begins = reader_.begins(first.way, first.bytes(), first.length);
  if (sight.kind != Sight::Kind::late) {
    side.going_on = (first.segment.flags & kPsh) == 0;
    side.boundary = end;
  }
  // What only HTTP knows to be a beginning is one also behind a segment without PSH.
  if (continues && !(config_.framing == Framing::http && begins)) return go_on(flow, first);
  if (begins) message(flow, first);
}

/// Every message that begins in the segment. Behind a hole nobody knows where that is, but where all are of one length.
void Matcher::split_by_length(Flow& flow, const Message& first, const Sight& sight) {
  Side& side = first.way == Way::request ? flow.request : flow.response;
  const Seq end = first.segment.end();
  const bool fixed = config_.framing == Framing::fixed;
  if (!fixed && sight.kind == Sight::Kind::late) return count(Count::unframed);
  if (!side.framed || (!fixed && sight.kind == Sight::Kind::ahead)) {
    if (side.framed) count(Count::unframed);
    side.boundary = first.seq();
    side.framed = true;
  }
  Seq at = side.boundary;
  if (fixed) {
    const uint32_t behind = first.seq() - at, before = at - first.seq(), n = config_.fixed_length;
    at = seq_le(at, first.seq()) ? first.seq() + (n - behind % n) % n : first.seq() + before % n;
  }
  while (seq_lt(at, end)) {
    Message found{first.segment, first.frame, first.way, at - first.segment.seq, 0};
    found.length = fixed ? config_.fixed_length : length_at(found);
    if (found.length == 0) {  // its number was not captured, or lies
      count(Count::unframed);
      side.framed = false;
      return;
    }
    message(flow, found);
    at += found.length;
  }
  if (!fixed || seq_gt(at, side.boundary)) side.boundary = at;
}

uint32_t Matcher::length_at(const Message& message) {
  const Bytes bytes = message.bytes();
  if (bytes.size() < config_.prefix.header()) return 0;
  const int32_t length = config_.prefix.length(bytes.data() + config_.prefix.offset);
  return length < 0 ? 0 : static_cast<uint32_t>(length);
}

void Matcher::message(Flow& flow, const Message& found) {
  const Bytes bytes = found.bytes();
  if (!reader_.labelled(found.way, bytes)) return count(Count::unlabelled);
  const bool levelled = (found.way == Way::response) == config_.level.of_response;
  const uint8_t level = levelled ? reader_.level(bytes, found.length, found.segment, found.frame) : uint8_t{0};
  found.way == Way::request ? request(flow, found, level) : response(flow, found, level);
}

void Matcher::request(Flow& flow, const Message& found, uint8_t level) {
  count(Count::requests);
  if (!config_.level.of_response) ++levels_[level].requests;
  if (flow.interval != interval_) {
    flow.interval = interval_;
    count(Count::connections);
  }
  if (config_.bursts) count_burst(found.segment);
  if (config_.first_level_only && level != 0) return;
  if (flow.requests == kOutstandingMax) forget_oldest(flow);
  Request* const request = flows_.add_request(flow);
  if (request == nullptr) return count(Count::outstanding_full);
  request->time = found.segment.time;
  request->end = found.seq() + found.length;
  request->level = level;
  request->number = reader_.counter(Way::request, found.bytes()).value_or(0);
}

void Matcher::response(Flow& flow, const Message& found, uint8_t level) {
  count(Count::responses);
  const std::optional<uint32_t> number = reader_.counter(Way::response, found.bytes());
  uint32_t before = kNoIndex, index = flow.first_request;
  const auto belongs = [&](const Request& request) {
    return number ? request.number == *number : seq_le(request.end, found.segment.ack);
  };
  while (index != kNoIndex && !belongs(flows_.request(index))) {
    before = index;
    index = flows_.request(index).next;
  }
  if (index == kNoIndex) return count(Count::unmatched);
  const Request request = flows_.request(index);
  flows_.remove_request(flow, before, index);
  answered(flow, found, request, config_.level.of_response ? level : request.level);
}

void Matcher::answered(Flow& flow, const Message& found, const Request& request, uint8_t level) {
  const Nanos now = found.segment.time;
  const Nanos latency = now > request.time ? now - request.time : 0;
  if (config_.level.of_response) ++levels_[level].requests;
  levels_[level].record(latency);
  if (config_.tail_over > 0 && latency > config_.tail_over) keep_tail(flow, found.segment, latency, level);
}

/// A message that takes several segments: it ends later than was thought.
void Matcher::go_on(Flow& flow, const Message& more) {
  if (more.way == Way::response || flow.last_request == kNoIndex) return;
  Request& last = flows_.request(flow.last_request);
  if (last.end == more.seq()) last.end = more.segment.end();
}

void Matcher::count_burst(const Segment& segment) {
  const auto key = std::pair{segment.time / kBurstBucket, std::pair{segment.source.high, segment.source.low}};
  const auto found = bursts_.find(key);
  if (found != bursts_.end()) {
    ++found->second;
  } else if (bursts_.size() < kBurstsMax) {
    bursts_.emplace(key, 1);
  } else {
    count(Count::bursts_skipped);
  }
}

void Matcher::keep_tail(const Flow& flow, const Segment& segment, Nanos latency, uint8_t level) {
  if (tails_.size() >= kTailsMax) return count(Count::tails_skipped);
  const Nanos reach = std::max(config_.tail_span, latency);
  const Nanos since = segment.time > reach ? segment.time - reach : 0;
  const FlowName& name = flow.name;
  tails_.push_back({segment.time, latency, level, name.client, name.server, name.client_port, name.server_port,
                    trail_.of(flow.hash, since)});
}

void Matcher::give_up() {
  while (flows_.oldest() != kNoIndex) remove(flows_.oldest());
}

Tick Matcher::finish(uint64_t number, Nanos start, uint32_t interval) {
  Tick tick{.number = number, .start = start, .followed = flows_.size(), .counts = counts_, .levels = {}, .bursts = {},
            .tails = std::move(tails_)};
  for (LevelTally& level : levels_) {
    LevelTick out{level.requests, level.responses, level.unanswered, level.responses == 0 ? 0 : level.least_ns,
                  level.latency.max(), level.sum_ns, {}};
    for (uint32_t cell = 0; level.responses > 0 && cell < mcc::Histogram::kCells; ++cell) {
      if (level.latency.at(cell) == 0) continue;
      out.cells.push_back(static_cast<double>(mcc::Histogram::Cells::highest(cell)));
      out.cells.push_back(static_cast<double>(level.latency.at(cell)));
    }
    tick.levels.push_back(std::move(out));
    level.clear();
  }
  for (const auto& [key, requests] : bursts_) {
    tick.bursts.push_back({key.first, IpAddress(key.second.first, key.second.second), requests});
  }
  bursts_.clear();
  tails_.clear();
  counts_ = {};
  interval_ = interval;
  return tick;
}

}  // namespace qstack::monitor
