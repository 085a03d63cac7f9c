#include "native/ip/neighbor_table.hh"

#include <algorithm>
#include <bit>

namespace qstack {

namespace {

/// Entries looked at for one that can be taken back: bounds the work that a flood of new addresses costs.
constexpr uint32_t kReclaimSteps = 64;

}  // namespace

NeighborTable::NeighborTable(const IpConfig& config)
    : ranges_(static_cast<uint32_t>(config.neighbors.size())), pinned_(ranges_), secret_(config.secret) {
  const uint32_t buckets = std::bit_ceil(std::max<uint32_t>(2 * (config.neighbors_max + 2), 16));
  buckets_.assign(buckets, kNoIndex);
  shift_ = 64 - static_cast<uint32_t>(std::countr_zero(buckets));
  entries_.reserve(size_t{ranges_} + 2 + config.neighbors_max);
  for (const StaticNeighbor& range : config.neighbors) {
    Neighbor entry;
    entry.next_at = ~Nanos{0};
    entry.address = range.first;
    entry.count = range.count;
    entry.mac = range.mac;
    entry.state = NeighborState::resolved;
    entry.fixed = entry.answered = true;
    entries_.push_back(entry);
  }
  entries_max_ = ranges_ + 2;  // until the gateways are in
  gateway_ = add_gateway(config.gateway);
  gateway_ipv6_ = add_gateway(config.ipv6.gateway);
  entries_max_ = pinned_ + config.neighbors_max;
}

/// Its entry begins as if it had been given up long ago: the first use asks.
uint32_t NeighborTable::add_gateway(const IpAddress& gateway) {
  if (gateway.unspecified()) return kNoIndex;
  const uint32_t fixed = find_static(gateway);
  if (fixed != kNoIndex) return fixed;
  const uint32_t index = add(gateway, 0);
  entries_[index].state = NeighborState::unreachable;
  ++pinned_;
  return index;
}

uint32_t NeighborTable::find_static(const IpAddress& address) const {
  for (uint32_t i = 0; i < ranges_; ++i) {
    if (distance(entries_[i].address, address) < entries_[i].count) return i;
  }
  return kNoIndex;
}

uint32_t NeighborTable::find(const IpAddress& address) const {
  const uint32_t fixed = find_static(address);
  if (fixed != kNoIndex) return fixed;
  const uint32_t mask = static_cast<uint32_t>(buckets_.size()) - 1;
  for (uint32_t b = bucket_of(address); buckets_[b] != kNoIndex; b = (b + 1) & mask) {
    if (entries_[buckets_[b]].address == address) return buckets_[b];
  }
  return kNoIndex;
}

uint32_t NeighborTable::add(const IpAddress& address, Nanos now) {
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
