#include "native/sched/scheduling_policy.hh"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qstack {

SchedulingPolicy::SchedulingPolicy(const PolicyConfig& config, uint32_t levels, uint32_t starved, uint32_t burst,
                                   double quantum)
    : config_(config), levels_(levels), quantum_starved_(starved), burst_(burst) {
  if (config.kind != PolicyKind::weighted) return;
  const double smallest = *std::min_element(config.weights.begin(), config.weights.begin() + levels);
  for (uint32_t level = 0; level < levels; ++level) quanta_[level] = config.weights[level] / smallest * quantum;
  credit_ = quanta_;
}

uint32_t SchedulingPolicy::next_weighted(uint32_t mask) {
  if ((mask & (mask - 1)) == 0) {  // nobody else waits: there is nobody to whom it could owe anything
    const uint32_t level = highest(mask);
    credit_[level] = std::max(0.0, credit_[level]);
    return level;
  }
  if (has(mask, turn_) && credit_[turn_] > 0) return turn_;
  skip_rounds(mask);
  do pass_on(mask);
  while (!has(mask, turn_) || credit_[turn_] <= 0);
  return turn_;
}

/// The next level in the circle, credited for this round.
void SchedulingPolicy::pass_on(uint32_t mask) {
  turn_ = (turn_ + 1) % levels_;
  const double quantum = quanta_[turn_];
  credit_[turn_] = std::min(has(mask, turn_) ? quantum : 0.0, credit_[turn_] + quantum);
}

/// Rounds in which everybody would only pay debts are passed over at once.
void SchedulingPolicy::skip_rounds(uint32_t mask) {
  double rounds = std::numeric_limits<double>::infinity();
  for (uint32_t level = 0; level < levels_; ++level) {
    if (has(mask, level)) rounds = std::min(rounds, std::floor(-credit_[level] / quanta_[level]));
  }
  if (rounds <= 0) return;
  for (uint32_t level = 0; level < levels_; ++level) {
    credit_[level] = std::min(0.0, credit_[level] + rounds * quanta_[level]);
  }
}

}  // namespace qstack
