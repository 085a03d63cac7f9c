#include "native/flow/flow_table.hh"

#include <algorithm>

namespace qstack {
namespace {

/// Home buckets for 65 % load, which keeps overflow rare (Poisson: 0.9 % of buckets hold more than 10 of 6.5).
uint32_t home_buckets(uint32_t flows) { return std::max<uint32_t>(flows * uint64_t{2} / 13 + 1, 16); }

}  // namespace

FlowTable::FlowTable(uint32_t flows)
    : home_count_(home_buckets(flows)),
      overflow_count_(home_count_ / 8 + 16),
      memory_((size_t{home_count_} + overflow_count_) * sizeof(Bucket)) {
  for (uint32_t at = 0; at < home_count_ + overflow_count_; ++at) buckets()[at].overflow = kNoIndex;
}

uint32_t FlowTable::candidate(uint64_t hash) const {
  const uint16_t tag = tag_of(hash);
  const Bucket& bucket = buckets()[index_of(hash)];
  for (uint32_t way = 0; way < kWays; ++way) {
    if (bucket.tags[way] == tag) return bucket.values[way];
  }
  return kNoIndex;
}

uint32_t FlowTable::extend(uint32_t last, uint32_t chain_length) {
  if (chain_length >= kChainMax || overflow_used_ == overflow_count_) return kNoIndex;
  const uint32_t added = home_count_ + overflow_used_++;
  buckets()[last].overflow = added;
  return added;
}

bool FlowTable::insert(uint64_t hash, uint32_t value) {
  uint32_t at = index_of(hash);
  for (uint32_t chain_length = 1; at != kNoIndex; ++chain_length) {
    Bucket& bucket = buckets()[at];
    for (uint32_t way = 0; way < kWays; ++way) {
      if (bucket.tags[way] != 0) continue;
      bucket.tags[way] = tag_of(hash);
      bucket.values[way] = value;
      ++size_;
      return true;
    }
    at = bucket.overflow == kNoIndex ? extend(at, chain_length) : bucket.overflow;
  }
  return false;
}

uint32_t* FlowTable::place_of(uint64_t hash, uint32_t value, uint16_t** tag) const {
  for (uint32_t at = index_of(hash); at != kNoIndex; at = buckets()[at].overflow) {
    Bucket& bucket = buckets()[at];
    for (uint32_t way = 0; way < kWays; ++way) {
      if (bucket.tags[way] != tag_of(hash) || bucket.values[way] != value) continue;
      *tag = &bucket.tags[way];
      return &bucket.values[way];
    }
  }
  return nullptr;
}

bool FlowTable::replace(uint64_t hash, uint32_t old, uint32_t value) {
  uint16_t* tag = nullptr;
  uint32_t* const place = place_of(hash, old, &tag);
  if (place == nullptr) return false;
  *place = value;
  return true;
}

bool FlowTable::erase(uint64_t hash, uint32_t value) {
  uint16_t* tag = nullptr;
  if (place_of(hash, value, &tag) == nullptr) return false;
  *tag = 0;
  --size_;
  return true;
}

}  // namespace qstack
