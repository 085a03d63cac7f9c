// World: one plan, run from its first turn to the last, on a clock of its own.
//
// Three parts: things go wrong (Plan::faults_ms); the network heals, and every transfer that a crash has not cut must
// end within a bound; what is left is aborted, and nothing may be left over. The first promise that is broken ends it.
#pragma once

#include "native/sim/sim_host.hh"

namespace qstack::sim {

class World {
 public:
  explicit World(const Plan& plan);

  /// True: every promise was kept.
  bool run();
  /// Only the part in which things go wrong.
  void run_faults();

  Ledger& ledger() { return ledger_; }
  uint64_t segments() const { return ledger_.segments(); }
  Nanos virtual_time() const { return now_ - plan_.start; }
  /// Of all hosts, those of earlier lives not.
  Counters counters();

 private:
  /// Where one transfer is.
  struct Progress {
    Nanos next_try = 0;
    uint32_t attempt = kNoAttempt;
    uint32_t tries = 0;
    bool done = false;
  };

  void live_until(Nanos end, bool (World::*enough)());
  void step(Nanos end);
  void change_weather();
  Nanos next_change() const;
  void start_transfers();
  void start(uint32_t transfer);
  bool transfer_over(uint32_t transfer);
  void judge_loss(const Attempt& attempt);
  bool all_over();
  bool all_empty();
  Nanos bound() const;
  void heal();

  const Plan& plan_;
  Nanos now_;
  bool healed_ = false;
  FrameStore store_;
  Ledger ledger_;
  Network network_;
  std::vector<std::unique_ptr<SimHost>> hosts_;
  std::vector<Progress> transfers_;
  std::vector<Nanos> changes_;  ///< when the weather changes, or a host crashes
  size_t changed_ = 0;          ///< of changes_
  Nanos next_start_ = 0;        ///< when a transfer is looked at again
  static constexpr uint16_t kFirstClientPort = 10'000;
  uint16_t next_port_ = kFirstClientPort;
};

}  // namespace qstack::sim
