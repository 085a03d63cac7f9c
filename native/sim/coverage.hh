// Coverage: which bytes of a direction an app has been given, by their place. Places come in any order, each once.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>

namespace qstack::sim {

class Coverage {
 public:
  /// False: some of it was there before.
  bool add(uint32_t first, uint32_t length) {
    const uint32_t end = first + length;
    auto next = runs_.lower_bound(first);
    if (next != runs_.end() && next->first < end) return false;
    if (next != runs_.begin()) {
      const auto before = std::prev(next);
      if (before->second > first) return false;
      if (before->second == first) {
        before->second = end;
        return join(before);
      }
    }
    return join(runs_.emplace_hint(next, first, end));
  }

  bool has(uint32_t first, uint32_t end) const {
    auto next = runs_.upper_bound(first);
    return next != runs_.begin() && std::prev(next)->second >= end;
  }

  /// Of the bytes before `end`.
  uint32_t below(uint32_t end) const {
    uint32_t sum = 0;
    for (const auto& [first, last] : runs_) {
      if (first >= end) break;
      sum += (last < end ? last : end) - first;
    }
    return sum;
  }

 private:
  using Runs = std::map<uint32_t, uint32_t>;

  bool join(Runs::iterator run) {
    const auto next = std::next(run);
    if (next == runs_.end() || next->first != run->second) return true;
    run->second = next->second;
    runs_.erase(next);
    return true;
  }

  Runs runs_;  ///< begin to end, apart
};

}  // namespace qstack::sim
