// Sojourn: how long messages and their replies were in each stage of the stack's thread, by level.
//
// In: a stage, a level, a time in stamps (64 ns). Out: histograms; stack/sojourn.ts has those of the app threads, counts
// in the same cells, and names all stages. Written by one stack's thread only.
#pragma once

#include <array>
#include <cstdint>

#include "native/abi/log_cells.hh"
#include "native/mempool/packet.hh"

namespace qstack {

enum class Stage : uint8_t {
  tcp,   ///< from the poll of the frame that completes a message to its event record
  send,  ///< from the send record of a reply to its first transmission
  tx,    ///< from there to the port
  wire,  ///< all of it: from the poll of the message's frame to the port that has taken its reply
  count_
};

class Sojourn {
 public:
  using Cells = LogCells<4, 32>;
  static constexpr uint32_t kStages = static_cast<uint32_t>(Stage::count_);

  void record(Stage stage, uint8_t level, Stamp since, Stamp now) {
    const Stamp time = now - since;
    // A frame may be polled after the turn has read the clock.
    ++cells_[static_cast<uint32_t>(stage)][level][time > INT32_MAX ? 0 : Cells::cell_of(time)];
  }

  /// Of two stacks together.
  Sojourn& operator+=(const Sojourn& other) {
    for (uint32_t stage = 0; stage < kStages; ++stage) {
      for (uint32_t level = 0; level < kLevelsMax; ++level) {
        for (uint32_t cell = 0; cell < Cells::kCells; ++cell) cells_[stage][level][cell] += other.cells_[stage][level][cell];
      }
    }
    return *this;
  }

  const std::array<uint64_t, Cells::kCells>& of(uint32_t stage, uint32_t level) const { return cells_[stage][level]; }

 private:
  std::array<std::array<std::array<uint64_t, Cells::kCells>, kLevelsMax>, kStages> cells_{};
};

}  // namespace qstack
