// FlowTable: hash of a flow → a 32-bit value, ten to a cache line.
//
//   bucket (64 B): 10 tags of 16 bits │ 10 values of 32 bits │ index of an overflow bucket
//
// In: a 64-bit keyed hash; the caller compares keys (they live in the connection, not here). Its high bits choose the
// bucket, its low 16 bits are the tag (0 means empty, so 0 becomes 1). Overflow chains are at most kChainMax long, from
// a fixed pool: a full chain refuses, nothing grows. Sized for 65 % load: ~10 B a connection.
#pragma once

#include <cstdint>

#include "native/mempool/mapping.hh"
#include "native/mempool/packet.hh"

namespace qstack {

class FlowTable {
 public:
  static constexpr uint32_t kWays = 10;
  static constexpr uint32_t kChainMax = 4;

  explicit FlowTable(uint32_t flows);

  void prefetch(uint64_t hash) const { __builtin_prefetch(&buckets()[index_of(hash)]); }

  /// First value whose tag fits: what to prefetch next. kNoIndex when there is none in the first bucket.
  uint32_t candidate(uint64_t hash) const;

  /// The value for which `matches(value)` is true, or kNoIndex.
  template <typename Matches>
  uint32_t find(uint64_t hash, Matches&& matches) const {
    const uint16_t tag = tag_of(hash);
    for (uint32_t at = index_of(hash); at != kNoIndex; at = buckets()[at].overflow) {
      const Bucket& bucket = buckets()[at];
      for (uint32_t way = 0; way < kWays; ++way) {
        if (bucket.tags[way] == tag && matches(bucket.values[way])) return bucket.values[way];
      }
    }
    return kNoIndex;
  }

  /// False: no room in the chain.
  bool insert(uint64_t hash, uint32_t value);
  /// Puts `value` in the place of `old`; false when `old` is not there.
  bool replace(uint64_t hash, uint32_t old, uint32_t value);
  bool erase(uint64_t hash, uint32_t value);

  uint32_t size() const { return size_; }
  MemoryRegion memory() const { return memory_.region(); }

 private:
  struct alignas(64) Bucket {
    uint16_t tags[kWays];
    uint32_t values[kWays];
    uint32_t overflow;
  };
  static_assert(sizeof(Bucket) == 64);

  Bucket* buckets() const { return reinterpret_cast<Bucket*>(memory_.data()); }
  uint32_t index_of(uint64_t hash) const {
    return static_cast<uint32_t>((static_cast<unsigned __int128>(hash) * home_count_) >> 64);
  }
  static uint16_t tag_of(uint64_t hash) {
    const auto tag = static_cast<uint16_t>(hash);
    return tag == 0 ? 1 : tag;
  }
  uint32_t* place_of(uint64_t hash, uint32_t value, uint16_t** tag) const;
  uint32_t extend(uint32_t last, uint32_t chain_length);

  uint32_t home_count_;
  uint32_t overflow_count_;
  uint32_t overflow_used_ = 0;
  uint32_t size_ = 0;
  Mapping memory_;
};

}  // namespace qstack
