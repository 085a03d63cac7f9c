#include "native/ip/neighbor_table.hh"

#include <algorithm>
#include <bit>

namespace qstack {

namespace {

/// Entries looked at for one that can be taken back: bounds the work that a flood of new addresses costs.
constexpr uint32_t kReclaimSteps = 64;

}  // namespace

NeighborTable::NeighborTable(const std::vector<StaticNeighbor>& ranges, uint32_t gateway, uint32_t learnt_max)
    : ranges_(static_cast<uint32_t>(ranges.size())), pinned_(ranges_) {
  const uint32_t buckets = std::bit_ceil(std::max<uint32_t>(2 * (learnt_max + 1), 16));
  buckets_.assign(buckets, kNoIndex);
  shift_ = 32 - static_cast<uint32_t>(std::countr_zero(buckets));
  entries_.reserve(ranges.size() + 1 + learnt_max);
  for (const StaticNeighbor& range : ranges) {
    Neighbor entry;
    entry.next_at = ~Nanos{0};
    entry.address = range.first;
    entry.count = range.count;
    entry.mac = range.mac;
    entry.state = NeighborState::resolved;
    entry.fixed = entry.answered = true;
    entries_.push_back(entry);
  }
  entries_max_ = ranges_ + learnt_max;
  if (gateway == 0) return;
  gateway_ = find_static(gateway);
  if (gateway_ != kNoIndex) return;
  ++entries_max_;
  gateway_ = add(gateway, 0);
  ++pinned_;
}

uint32_t NeighborTable::find_static(uint32_t address) const {
  for (uint32_t i = 0; i < ranges_; ++i) {
    if (address - entries_[i].address < entries_[i].count) return i;
  }
  return kNoIndex;
}

uint32_t NeighborTable::find(uint32_t address) const {
  const uint32_t fixed = find_static(address);
  if (fixed != kNoIndex) return fixed;
  const uint32_t mask = static_cast<uint32_t>(buckets_.size()) - 1;
  for (uint32_t b = bucket_of(address); buckets_[b] != kNoIndex; b = (b + 1) & mask) {
    if (entries_[buckets_[b]].address == address) return buckets_[b];
  }
  return kNoIndex;
}

uint32_t NeighborTable::add(uint32_t address, Nanos now) {
  uint32_t index = size();
  if (index < entries_max_) {
    entries_.emplace_back();
  } else {
    index = reclaim(now);
    if (index == kNoIndex) return kNoIndex;
    entries_[index] = Neighbor{};
  }
  entries_[index].address = address;
  link(index);
  return index;
}

void NeighborTable::link(uint32_t index) {
  const uint32_t mask = static_cast<uint32_t>(buckets_.size()) - 1;
  uint32_t b = bucket_of(entries_[index].address);
  while (buckets_[b] != kNoIndex) b = (b + 1) & mask;
  buckets_[b] = index;
}

/// Linear probing without tombstones: entries behind the hole move into it unless that puts them before their own
/// bucket.
void NeighborTable::unlink(uint32_t index) {
  const uint32_t mask = static_cast<uint32_t>(buckets_.size()) - 1;
  uint32_t hole = bucket_of(entries_[index].address);
  while (buckets_[hole] != index) hole = (hole + 1) & mask;
  for (uint32_t b = (hole + 1) & mask; buckets_[b] != kNoIndex; b = (b + 1) & mask) {
    const uint32_t home = bucket_of(entries_[buckets_[b]].address);
    if (((b - home) & mask) < ((b - hole) & mask)) continue;
    buckets_[hole] = buckets_[b];
    hole = b;
  }
  buckets_[hole] = kNoIndex;
}

/// An entry that has never had an answer and is not being asked for serves nobody: addresses that a flood made up.
uint32_t NeighborTable::reclaim(Nanos now) {
  const uint32_t learnt = size() - pinned_;
  for (uint32_t step = 0; step < std::min(kReclaimSteps, learnt); ++step) {
    reclaim_at_ = reclaim_at_ + 1 < learnt ? reclaim_at_ + 1 : 0;
    const uint32_t index = pinned_ + reclaim_at_;
    const Neighbor& entry = entries_[index];
    if (entry.answered || entry.state != NeighborState::unreachable || now < entry.next_at) continue;
    unlink(index);
    return index;
  }
  return kNoIndex;
}

}  // namespace qstack
