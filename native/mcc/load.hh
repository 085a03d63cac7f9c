// Load: what a generator does with its connections, whatever network carries them: the open loop (Engine) or the closed loops
// (ClosedLoop).
//
// In: commands of control, App events inside a network's turn, step() between two turns. Out: traffic; counts and latencies
// by level. The thread that takes the turns is the only one that calls, view() excepted.
#pragma once

#include <vector>

#include "native/mcc/schedule.hh"
#include "native/mcc/stats.hh"
#include "native/mempool/mapping.hh"
#include "native/tcp/app.hh"

namespace qstack::mcc {

class Load : public App {
 public:
  virtual void connect(Nanos now) = 0;
  /// Starts a run at `start` (not before now); the connections are all of the load's.
  virtual void run(Plan plan, Nanos start, Nanos now) = 0;
  /// Ends the run's sends now; the drain follows.
  virtual void stop_run(Nanos now) = 0;
  virtual void close(Nanos now) = 0;

  /// Tells the time of the turn whose callbacks follow.
  virtual void begin_turn(Nanos now) = 0;
  /// Work between two turns. Returns what was done: 0 means idle.
  virtual uint32_t step(Nanos now) = 0;
  /// When step() has something to do without any event; kNever if nothing is planned.
  virtual Nanos next_deadline() const = 0;

  virtual Phase phase() const = 0;
  /// Any thread, any time.
  virtual View view() const = 0;
  /// Only while no run is under way, or from the load's thread.
  virtual const LevelStats& level(uint8_t level) const = 0;
  /// Bytes of replies in the last run; 0 where they are not counted.
  virtual uint64_t bytes_received() const { return 0; }
  /// What it keeps by connection and by message.
  virtual std::vector<MemoryRegion> memory() const = 0;
};

}  // namespace qstack::mcc
