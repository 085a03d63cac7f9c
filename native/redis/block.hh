// Block: the memory that a Redis client and the JavaScript of its thread share.
//
//   │ RingHeader × 3 │ commands × C │ completions × 2C │ releases (u32) │ scratch │ places of replies │
//
// In: counts. Out: offsets from the block's start, which JavaScript is told as they are. Both sides run in the same
// thread; the rings order their work, they do not lock anything.
#pragma once

#include <bit>

#include "native/redis/place_heap.hh"
#include "native/ring/spsc_ring.hh"

namespace qstack::redis {

struct BlockLayout {
  uint32_t command_capacity, completion_capacity, release_capacity, scratch_bytes;
  uint32_t commands_at, completions_at, releases_at, scratch_at, places_at;
  uint64_t bytes;

  static constexpr uint32_t kCommandHeader = 0;
  static constexpr uint32_t kCompletionHeader = sizeof(abi::RingHeader);
  static constexpr uint32_t kReleaseHeader = 2 * sizeof(abi::RingHeader);

  /// `commands` is a power of two.
  BlockLayout(uint32_t commands, uint32_t scratch, const PlaceHeap::Counts& places)
      : command_capacity(commands), completion_capacity(2 * commands), scratch_bytes(scratch) {
    uint32_t count = 0;
    for (uint32_t n : places) count += n;
    release_capacity = std::bit_ceil(count);
    commands_at = 3 * sizeof(abi::RingHeader) + 128;
    completions_at = commands_at + command_capacity * uint32_t{sizeof(abi::RedisCommand)};
    releases_at = completions_at + completion_capacity * uint32_t{sizeof(abi::RedisCompletion)};
    scratch_at = releases_at + release_capacity * 4;
    places_at = (scratch_at + scratch_bytes + 63) & ~63u;
    bytes = places_at + PlaceHeap::bytes(places);
  }

  template <typename T>
  RingView<T> ring(uint8_t* base, uint32_t header, uint32_t records, uint32_t capacity) const {
    return {reinterpret_cast<abi::RingHeader*>(base + header), reinterpret_cast<T*>(base + records), capacity};
  }
};

}  // namespace qstack::redis
