// SimHost: the stacks of a host and their apps, turn by turn. It can crash, and comes up again as a new one.
#pragma once

#include <memory>

#include "native/sim/sim_life.hh"

namespace qstack::sim {

class SimHost {
 public:
  SimHost(const Scene& scene, uint8_t number);

  /// Loses everything that it knew. Who talks to it learns of that by RST, or not at all.
  void crash();
  /// Lets apps and stacks work, and checks what they have done.
  void turn();
  /// A transfer begins. False: no slot, port or route just now.
  bool connect(uint32_t transfer, const TransferPlan& plan, uint16_t port);
  /// The apps give up every connection that is left, and every message.
  void abort_all();
  /// When it must have a turn at the latest.
  Nanos due() const;
  /// Everything is as it was at the start.
  bool empty() const;
  std::string what_is_left() const;

  /// Of all stacks in this life.
  void add_counters(Counters& sum);

 private:
  const HostPlan& plan() const { return scene_.plan.hosts[number_]; }
  void change_policy();
  bool rests(uint32_t stack) const;
  void check(Shard& shard);

  Scene scene_;
  uint8_t number_;
  uint32_t lives_ = 0;
  std::unique_ptr<SimLife> life_;
  Nanos last_turn_ = 0;
  bool pending_ = true;  ///< the last turn found work
  uint32_t turns_ = 0;
  uint32_t asked_ = 0;  ///< times that a connection was asked for
};

}  // namespace qstack::sim
