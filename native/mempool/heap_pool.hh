// HeapRegion and HeapPool: packets in plain memory, without DPDK. For tests, the simulator and in-process stacks.
//
// In: a number of packets. Out: a PacketRegion and pools over parts of it, with the same rules as the DPDK pools.
// Invariant: a packet of a pool is either in its free list with 0 references, or outside with at least 1.
// Read first: packet_pool.hh (the picture). Without DPDK there is no prefix: the Packet opens its element.
#pragma once

#include <vector>

#include "native/mempool/mapping.hh"
#include "native/mempool/packet_pool.hh"

namespace qstack {

class HeapRegion {
 public:
  explicit HeapRegion(uint32_t count);
  const PacketRegion& region() const { return region_; }

 private:
  Mapping memory_;
  PacketRegion region_;
};

class HeapPool final : public PacketPool {
 public:
  /// Takes elements [first, first + count) of the region, which outlives the pool.
  HeapPool(const PacketRegion& region, uint32_t first, uint32_t count);

  using PacketPool::allocate;
  uint32_t allocate(Packet** out, uint32_t n) override;
  void release(Packet* packet) override;
  void hold(Packet* packet) override;
  bool shared(const Packet* packet) const override;
  uint32_t available() const override { return free_count_; }
  uint32_t capacity() const override { return static_cast<uint32_t>(references_.size()); }

 private:
  uint16_t& references(const Packet* packet) { return references_[packet->index - first_]; }
  Packet* take();

  PacketRegion region_;
  uint32_t first_;
  std::vector<uint16_t> references_;
  std::vector<uint32_t> free_;  ///< a circle of indices: taken at the head, given back behind the tail
  uint32_t free_head_ = 0;
  uint32_t free_count_ = 0;
};

}  // namespace qstack
