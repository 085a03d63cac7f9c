// PlaceHeap: bounded memory for commands and replies in four sizes, all of it set aside at the start.
//
//   base ──▶ │ 256 B × n0 │ 4 KiB × n1 │ 64 KiB × n2 │ 512 KiB × n3 │      pages are touched when first used
//
// In: a number of bytes. Out: a place of the smallest size that has one free. Invariant: a place is given to one holder
// until its id comes back; an id that is not out (given back twice, forged) changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace qstack::redis {

/// Longest command, and longest value of a reply.
inline constexpr uint32_t kPlaceMax = 512 * 1024;

struct Place {
  static constexpr uint32_t kNone = 0xffffffffu;
  uint32_t id = kNone;
  uint8_t* at = nullptr;
};

class PlaceHeap {
 public:
  static constexpr std::array<uint32_t, 4> kSizes = {256, 4 * 1024, 64 * 1024, kPlaceMax};
  using Counts = std::array<uint32_t, 4>;

  static uint64_t bytes(const Counts& counts);

  /// `base`: bytes(counts) bytes that outlive the heap.
  PlaceHeap(uint8_t* base, const Counts& counts);

  /// id == kNone: longer than kPlaceMax, or none that is large enough is free.
  Place allocate(uint32_t length);
  /// False: nothing of this id is out.
  bool release(uint32_t id);

  bool any_free() const;
  uint32_t in_use() const { return in_use_; }

 private:
  struct Size {
    uint8_t* base = nullptr;
    std::vector<uint32_t> free;
    std::vector<uint8_t> out;
  };
  static constexpr uint32_t kSizeShift = 28;

  std::array<Size, 4> sizes_;
  uint32_t in_use_ = 0;
};

}  // namespace qstack::redis
