// Tick: what one shard has counted since its last one. Ticks of all shards and times add up.
#pragma once

#include <array>
#include <map>
#include <string_view>
#include <vector>

#include "native/mcc/histogram.hh"
#include "native/monitor/segment.hh"

// clang-format off
#define QSTACK_MONITOR_COUNTS(X) \
  X(segments) X(requests) X(responses) X(connections) X(connections_seen) \
  X(request_retransmissions) X(response_retransmissions) X(request_late) X(response_late) \
  X(unanswered) X(unmatched) X(unframed) X(unlabelled) X(outstanding_full) X(expired) X(evicted) X(tails_skipped) X(bursts_skipped)
// clang-format on

namespace qstack::monitor {

enum class Count : uint8_t {
#define QSTACK_X(name) name,
  QSTACK_MONITOR_COUNTS(QSTACK_X)
#undef QSTACK_X
      count_
};
inline constexpr size_t kCounts = static_cast<size_t>(Count::count_);
inline constexpr std::array<std::string_view, kCounts> kCountNames = {
#define QSTACK_X(name) #name,
    QSTACK_MONITOR_COUNTS(QSTACK_X)
#undef QSTACK_X
};

struct LevelTally {
  uint64_t requests = 0, responses = 0, unanswered = 0;
  uint64_t least_ns = UINT64_MAX;
  uint64_t sum_ns = 0;
  mcc::Histogram latency;

  void record(Nanos latency_ns) {
    ++responses;
    sum_ns += latency_ns;
    least_ns = std::min<uint64_t>(least_ns, latency_ns);
    latency.record(latency_ns);
  }
  void clear() {
    requests = responses = unanswered = sum_ns = 0;
    least_ns = UINT64_MAX;
    latency.clear();
  }
};

/// Histograms as the cells that are not empty: highest value, count, highest value, count …
struct LevelTick {
  uint64_t requests = 0, responses = 0, unanswered = 0, least_ns = 0, most_ns = 0, sum_ns = 0;
  std::vector<double> cells;
};

/// Requests of one client in one bucket of 5 ms since the epoch.
struct Burst {
  uint64_t bucket;
  IpAddress client;
  uint32_t requests;
};
inline constexpr Nanos kBurstBucket = 5'000'000;

struct TailFrame {
  Nanos time;
  uint32_t length;  ///< on the wire
  std::vector<uint8_t> bytes;
};

/// A response that took too long, and the frames of its connection up to it.
struct Tail {
  Nanos time, latency;
  uint8_t level;
  IpAddress client, server;
  uint16_t client_port, server_port;
  std::vector<TailFrame> frames;
};

struct Tick {
  uint64_t number = 0;  ///< since the first frame
  Nanos start = 0;      ///< since the epoch
  uint32_t followed = 0;  ///< connections in the table at its end
  std::array<uint64_t, kCounts> counts{};
  std::vector<LevelTick> levels;
  std::vector<Burst> bursts;
  std::vector<Tail> tails;
};

}  // namespace qstack::monitor
