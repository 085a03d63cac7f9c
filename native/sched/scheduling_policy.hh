// SchedulingPolicy: which level goes next, wherever levels wait for one thing; the twin of coroutine/policy.ts.
//
// In: a mask of the levels that have work, since when the head of each waits, and the work that was done. Out: a level,
// and how many of its entries may go before the question is put again. Invariant: the same input gives the same levels as
// in TypeScript (test/coroutine/policy-cases.txt). One object per queue; no clock, no allocation, no virtual call. Stamps
// wrap: ages and deadlines lie less than 137 s from each other.
// `weighted` is deficit round robin (Shreedhar and Varghese 1995), where debts are paid afterwards.
#pragma once

#include <bit>

#include "native/sched/policy_config.hh"

namespace qstack {

class SchedulingPolicy {
 public:
  struct Turn {
    uint32_t level;
    uint32_t most;  ///< entries that may go
  };

  /// `starved`: entries that a starved level gets under `strict`. `burst`: entries between two looks at deadlines or at
  /// work. `quantum`: work that the smallest weight may do in one round, in the unit of charge().
  SchedulingPolicy(const PolicyConfig& config, uint32_t levels, uint32_t starved, uint32_t burst, double quantum);

  /// Only what charge() is told decides: the place has to measure its work.
  bool measures() const { return config_.kind == PolicyKind::weighted; }

  /// A round of next() begins at `now`. `since(level)`: stamp since which the oldest of a level waits; asked only of
  /// levels that have work.
  template <typename Since>
  void begin(uint32_t mask, Stamp now, const Since& since) {
    starved_ = given_ = kNone;
    if (config_.kind != PolicyKind::strict || config_.bound == 0) return;
    Stamp longest = config_.bound;
    for (uint32_t rest = mask & (mask - 1); rest != 0; rest &= rest - 1) {
      const uint32_t level = highest(rest);
      const Stamp waits = age(level, now, since(level));
      if (waits < longest) continue;
      longest = waits;
      starved_ = level;
    }
    if (starved_ == kNone) return;
    given_ = starved_;
    before_ = served_[starved_];
    served_[starved_] = now;
  }

  /// `mask` is not 0.
  template <typename Since>
  Turn next(uint32_t mask, const Since& since) {
    if (config_.kind == PolicyKind::strict) return next_strict(mask);
    return {config_.kind == PolicyKind::weighted ? next_weighted(mask) : earliest(mask, since), burst_};
  }

  /// `work` was done for `level`: packets or bytes, always the same in one place.
  void charge(uint32_t level, double work) { credit_[level] -= work; }

  /// Nothing of `level`, which next() has just named, could go: if that was the quantum of a starved one, it gets the next.
  void give_back(uint32_t level) {
    if (level == given_) served_[level] = before_;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static uint32_t highest(uint32_t mask) { return static_cast<uint32_t>(std::countr_zero(mask)); }
  static bool has(uint32_t mask, uint32_t level) { return (mask >> level & 1) != 0; }

  /// How long the head of `level` waits for a quantum: counted from its arrival or from the last quantum.
  Stamp age(uint32_t level, Stamp now, Stamp since) const {
    const Stamp waiting = now - since, ago = now - served_[level];
    return served_[level] == 0 || ago > waiting ? waiting & 0x7fffffff : ago;
  }

  Turn next_strict(uint32_t mask) {
    const uint32_t starved = starved_;
    starved_ = kNone;
    if (starved != kNone && has(mask, starved)) return {starved, quantum_starved_};
    given_ = kNone;  // it has had its quantum
    return {highest(mask), UINT32_MAX};
  }

  template <typename Since>
  uint32_t earliest(uint32_t mask, const Since& since) const {
    uint32_t first = highest(mask);
    Stamp deadline = since(first) + config_.budgets[first];
    for (uint32_t rest = mask & (mask - 1); rest != 0; rest &= rest - 1) {
      const uint32_t level = highest(rest);
      const Stamp other = since(level) + config_.budgets[level];
      if (static_cast<int32_t>(other - deadline) >= 0) continue;
      first = level;
      deadline = other;
    }
    return first;
  }

  uint32_t next_weighted(uint32_t mask);
  void pass_on(uint32_t mask);
  void skip_rounds(uint32_t mask);

  PolicyConfig config_;
  uint32_t levels_;
  uint32_t quantum_starved_;
  uint32_t burst_;
  uint32_t starved_ = kNone;  ///< the level whose quantum comes next
  uint32_t given_ = kNone;    ///< the level that has this round's quantum
  Stamp before_ = 0;          ///< when it had the one before
  std::array<Stamp, PolicyConfig::kLanesMax> served_{};  ///< of each level's last quantum; 0 stands for never
  std::array<double, PolicyConfig::kLanesMax> quanta_{};
  std::array<double, PolicyConfig::kLanesMax> credit_{};
  uint32_t turn_ = 0;
};

}  // namespace qstack
