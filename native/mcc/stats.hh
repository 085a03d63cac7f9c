// What the generator counts, and the snapshot that control reads while the engine runs.
//
// The engine thread is the only writer of everything here. Snapshot is a sequence lock over atomic words: the reader
// repeats a read that a write has crossed, and the writer never waits.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <type_traits>

#include "native/mcc/histogram.hh"
#include "native/mempool/packet.hh"
#include "native/mcc/message.hh"

namespace qstack::mcc {

/// Counts of one level in one run. sent = answered + errors + lost, once the run is over.
struct LevelCounts {
  uint64_t offered = 0;   ///< became due
  uint64_t sent = 0;      ///< handed to the stack
  uint64_t answered = 0;  ///< right reply, not an error
  uint64_t errors = 0;    ///< error reply
  uint64_t failed = 0;    ///< due while the connection was not open
  uint64_t unsent = 0;    ///< still waiting for the stack when the drain was over
};

/// The longest times of one level in one run.
struct LevelExtremes {
  Nanos send_delay = 0;  ///< from the intended time to the stack: of a wave, until the last of it was sent
  Nanos silence = 0;     ///< without an answer, while the load lasts
};

struct LevelStats {
  LevelCounts counts;
  Histogram latency;   ///< of the whole run, from the intended send time
  Histogram interval;  ///< since the last snapshot
  LevelExtremes extremes;
  Nanos last_answer = 0;  ///< at first the run's start
  void end_silence(Nanos now) {
    extremes.silence = std::max(extremes.silence, now - std::min(now, last_answer));
    last_answer = now;
  }
  /// What waits at the load's end has been silent until then.
  void end_load(Nanos now) {
    if (counts.offered > counts.answered + counts.errors + counts.failed) end_silence(now);
  }
  void clear(Nanos start) {
    counts = {};
    extremes = {};
    last_answer = start;
    latency.clear();
    interval.clear();
  }
};

enum class Phase : uint8_t { idle = 0, connecting, ready, running, draining, closing, closed };

struct LevelView {
  LevelView() = default;
  LevelView(const LevelCounts& counted, const Histogram& interval)
      : counts(counted),
        p50_ns(interval.quantile(0.5)),
        p99_ns(interval.quantile(0.99)),
        p999_ns(interval.quantile(0.999)),
        max_ns(interval.max()) {}

  LevelCounts counts;
  uint64_t p50_ns = 0, p99_ns = 0, p999_ns = 0, max_ns = 0;  ///< of the interval
};

/// Everything u64, so that it can be copied word by word.
struct View {
  uint64_t number = 0;  ///< counts the snapshots
  uint64_t phase = 0;
  uint64_t run = 0;         ///< number of the current or last run
  uint64_t elapsed_ns = 0;   ///< since the run's start
  uint64_t answered_ns = 0;  ///< from the run's start to its last answer
  uint64_t connected = 0, retries = 0, reconnects = 0, renewals = 0;
  uint64_t mismatched = 0, late = 0, unexpected = 0;
  uint64_t in_flight = 0, waiting = 0;
  uint64_t level_count = 2;  ///< of `levels`, those that are in use
  std::array<LevelView, kLevels> levels{};
};
static_assert(std::is_trivially_copyable_v<View> && sizeof(View) % 8 == 0);

class Snapshot {
 public:
  void write(const View& view) {
    uint64_t words[kWords];
    std::memcpy(words, &view, sizeof(view));
    version_.fetch_add(1, std::memory_order_acq_rel);
    for (size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
    version_.fetch_add(1, std::memory_order_release);
  }

  View read() const {
    uint64_t words[kWords];
    uint64_t before = 0;
    do {
      before = version_.load(std::memory_order_acquire);
      for (size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
    } while ((before & 1) != 0 || version_.load(std::memory_order_acquire) != before);
    View view;
    std::memcpy(&view, words, sizeof(view));
    return view;
  }

 private:
  static constexpr size_t kWords = sizeof(View) / 8;
  std::atomic<uint64_t> version_{0};
  std::array<std::atomic<uint64_t>, kWords> words_{};
};

}  // namespace qstack::mcc
