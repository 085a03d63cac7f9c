// SimHost: one stack with its memory, port and app; it can crash, and comes up again as a new one.
#pragma once

#include <memory>

#include "native/mempool/heap_pool.hh"
#include "native/sim/sim_app.hh"
#include "native/sim/sim_port.hh"

namespace qstack::sim {

class SimHost {
 public:
  SimHost(const Plan& plan, uint8_t number, Network& network, Ledger& ledger, const Nanos& now, const bool& healed);

  /// Loses everything that it knew. Who talks to it learns of that by RST, or not at all.
  void crash();
  /// Lets the app and the stack work, and checks what they have done.
  void turn();
  /// When it must have a turn at the latest.
  Nanos due() const;
  /// Everything is as it was at the start: packets, control blocks, records.
  bool empty() const;
  std::string what_is_left() const;

  SimApp& app() { return life_->app; }
  Stack& stack() { return life_->stack; }
  uint32_t lives() const { return lives_; }

 private:
  struct Life {
    Life(const Plan& plan, uint8_t number, uint32_t life, Network& network, Ledger& ledger, const Nanos& now,
         const bool& healed);
    HeapRegion region;
    HeapPool rx, tx;
    SimPort port;
    SimApp app;
    Stack stack;
  };

  void change_policy();
  void check();

  const Plan& plan_;
  uint8_t number_;
  Network& network_;
  Ledger& ledger_;
  const Nanos& now_;
  const bool& healed_;
  uint32_t lives_ = 0;
  std::unique_ptr<Life> life_;
  Nanos last_turn_ = 0;
  bool pending_ = true;  ///< the last turn found work
  uint32_t turns_ = 0;
};

}  // namespace qstack::sim
