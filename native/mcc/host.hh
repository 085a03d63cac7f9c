// Host: a generator with its thread, as control sees it. Every call is made from control and runs between two turns.
//
// In: a generator on the network that it is to use. Out: views at any time, results when a run is over.
#pragma once

#include <memory>

#include "native/mcc/generator.hh"
#include "native/stack/stack_thread.hh"

namespace qstack::mcc {

struct RunResult {
  uint32_t level_count = 0;  ///< of the arrays, those that are in use
  std::array<LevelCounts, kLevels> counts;
  std::array<Histogram, kLevels> latency;
  std::array<LevelExtremes, kLevels> extremes;
  uint64_t bytes_received = 0;  ///< of replies, where they are counted
  HiccupProbe::Summary hiccups;
};

class Host {
 public:
  Host(std::unique_ptr<Generator> generator, StackThreadConfig thread);
  /// Stops and joins the thread.
  ~Host() { thread_->stop(); }

  void connect();
  /// Starts a run; its first message is intended at `start`, or 1 ms from now where that is later. False: a run is under way, or
  /// not all are connected.
  bool run(const Plan& plan, Nanos start = 0);
  void stop_run();
  void close();
  View view() const { return load_.view(); }
  /// Of the last run.
  RunResult result();
  /// Of the current run while it lasts: its answers so far, without stopping the load. Cells alone may be read.
  const Histogram& latency(uint8_t level) const { return load_.level(level).latency; }
  /// Of the current or last run.
  HiccupProbe::Summary hiccups() { return thread_->hiccups(false); }
  std::map<std::string, uint64_t> counters();
  /// All that is made at the start, packets left out.
  std::vector<MemoryRegion> memory() const { return generator_->memory(); }

 private:
  std::unique_ptr<Generator> generator_;
  Load& load_;
  std::unique_ptr<StackThread> thread_;
};

}  // namespace qstack::mcc
