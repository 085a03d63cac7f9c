// Matcher: finds requests and their responses in what passes, and measures from the one to the other, as HCMonitor does:
// server-side latency, from the frame in which a request begins to the frame in which its response does.
//
// In: segments of connections, each connection's in the order of the wire, by one thread. Out: ticks. A response belongs to
// the request whose counter it carries; where there is none, to the oldest request that it acknowledges. A request that is
// sent again keeps its first time. Invariant: memory is that of the start; what finds no room is counted.
// Read first: stream.hh, flow_map.hh.
#pragma once

#include <array>
#include <map>
#include <utility>

#include "native/monitor/flow_map.hh"
#include "native/monitor/frame_trail.hh"
#include "native/monitor/message_reader.hh"

namespace qstack::monitor {

/// Which way a segment goes, by its ports; 0xff: neither is a server's.
inline constexpr uint8_t kNoWay = 0xff;
uint8_t way_of(const Segment& segment, const std::vector<uint16_t>& ports);
FlowName flow_of(const Segment& segment, Way way);

class Matcher {
 public:
  /// `snapshot`: bytes of a frame at most.
  Matcher(const MatchConfig& config, uint32_t snapshot);

  /// `frame` holds segment.captured bytes. `hash`: of the connection's name.
  void take(const Segment& segment, Way way, uint64_t hash, Bytes frame);
  /// Hands over what was counted since the last time. `interval`: of what follows.
  Tick finish(uint64_t number, Nanos start, uint32_t interval);
  /// What still waits has no response: at the end of a capture.
  void give_up();

  uint32_t connections() const { return flows_.size(); }

 private:
  struct Message;

  void count(Count what, uint64_t n = 1) { counts_[static_cast<size_t>(what)] += n; }
  void expire(Nanos now);
  uint32_t flow_for(const Segment& segment, Way way, uint64_t hash);
  void open_or_close(uint32_t index, Flow& flow, const Segment& segment, Way way);
  void forget_requests(Flow& flow);
  void forget_oldest(Flow& flow);
  void remove(uint32_t index);
  void data(Flow& flow, const Segment& segment, Way way, Bytes frame);
  void count_sight(Way way, const Sight& sight);
  void split(Flow& flow, const Message& first, const Sight& sight);
  void split_by_segment(Flow& flow, const Message& first, const Sight& sight);
  void split_by_length(Flow& flow, const Message& first, const Sight& sight);
  uint32_t length_at(const Message& message);
  void message(Flow& flow, const Message& message);
  void request(Flow& flow, const Message& message, uint8_t level);
  void response(Flow& flow, const Message& message, uint8_t level);
  void answered(Flow& flow, const Message& message, const Request& request, uint8_t level);
  void go_on(Flow& flow, const Message& more);
  void count_burst(const Segment& segment);
  void keep_tail(const Flow& flow, const Segment& segment, Nanos latency, uint8_t level);

  const MatchConfig config_;
  MessageReader reader_;
  FlowMap flows_;
  FrameTrail trail_;
  std::array<uint64_t, kCounts> counts_{};
  std::vector<LevelTally> levels_;
  std::map<std::pair<uint64_t, std::pair<uint64_t, uint64_t>>, uint32_t> bursts_;
  std::vector<Tail> tails_;
  uint32_t interval_ = 1;
};

}  // namespace qstack::monitor
