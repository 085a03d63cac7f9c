// RuleBook: one version of a stack's rules, and how often each of them has matched.
//
// In: frames. Out: levels and counts. Invariant: one thread at a time; the counts lie in cache lines that hold nothing
// else, so that the stacks of one process do not slow each other down.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "native/classify/classifier.hh"

namespace qstack {

class RuleBook {
 public:
  explicit RuleBook(Classifier classifier)
      : classifier_(std::move(classifier)), lines_(classifier_.rules() / kCountsPerLine + 1) {}

  uint8_t judge(const Packet& packet) { return classifier_.classify(packet, lines_[0].counts); }

  /// One count for each rule, and the last for frames that none of them matched.
  std::span<const uint64_t> hits() const { return {lines_[0].counts, classifier_.rules() + 1u}; }
  const Classifier& classifier() const { return classifier_; }

 private:
  static constexpr uint32_t kCountsPerLine = 8;
  struct alignas(64) Line {
    uint64_t counts[kCountsPerLine];
  };

  Classifier classifier_;
  std::vector<Line> lines_;
};

}  // namespace qstack
