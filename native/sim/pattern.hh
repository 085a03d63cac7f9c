// Pattern: the bytes that applications of the simulation send. Byte `at` of stream `key` is the same whoever asks.
//
// In: a key and a place. Out: up to kRun bytes in one piece, so that a segment is written and compared at memory speed.
// A byte that comes at a wrong place differs, but for places that lie a multiple of kPeriod apart.
#pragma once

#include <cstdint>
#include <vector>

#include "native/sim/random.hh"

namespace qstack::sim {

class Pattern {
 public:
  static constexpr uint32_t kPeriod = 262'139;  ///< a prime above every window that is likely; its bytes fit into L2
  static constexpr uint32_t kRun = 2'048;

  Pattern() : bytes_(kPeriod + kRun) {
    Random random(0x7061747465726e);
    for (uint32_t i = 0; i < kPeriod; ++i) bytes_[i] = static_cast<uint8_t>(random.next());
    for (uint32_t i = 0; i < kRun; ++i) bytes_[kPeriod + i] = bytes_[i];
  }

  const uint8_t* at(uint64_t key, uint64_t place) const { return bytes_.data() + (key + place) % kPeriod; }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace qstack::sim
