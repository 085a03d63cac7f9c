// DpdkPool: packets that DPDK's devices can fill and send, in memory that JavaScript can reach.
//
//   element: │ object header 64 │ rte_mbuf 128 │ Packet 64 │ headroom 128 │ room 1664 │ + padding = stride
//
// In: a part of the arena. Out: a PacketPool over an rte_mempool that lives on that part; the Packet is the mbuf's
// private area. References are the mbuf's. The free list is a LIFO stack behind a cache of the one thread that uses it.
// Read first: packet_pool.hh (the picture); DPDK's programmer's guide, "Mempool library".
#pragma once

#include <string>

#include "native/mempool/packet_pool.hh"

struct rte_mempool;
struct rte_mempool_cache;

namespace qstack {

/// Stride and place of the Packet, as DPDK lays elements out. Needs no running EAL. `extra_room` is a device's own
/// (devices.hh), behind the room of each packet.
PacketRegion dpdk_region(uint8_t* base, uint32_t count, uint32_t extra_room = 0);

class DpdkPool final : public PacketPool {
 public:
  /// Takes elements [first, first + count) of a region of dpdk_region; its memory outlives the pool. `name` is one of a
  /// kind in the process, at most 25 characters. Throws std::runtime_error.
  DpdkPool(const std::string& name, const PacketRegion& region, uint32_t first, uint32_t count);
  /// All packets are back by then: ports are closed before their pools.
  ~DpdkPool() override;
  DpdkPool(const DpdkPool&) = delete;
  DpdkPool& operator=(const DpdkPool&) = delete;

  using PacketPool::allocate;
  uint32_t allocate(Packet** out, uint32_t n) override;
  void release(Packet* packet) override;
  void hold(Packet* packet) override;
  bool shared(const Packet* packet) const override;
  uint32_t available() const override;
  uint32_t capacity() const override { return count_; }

  rte_mempool* mempool() const { return mempool_; }

 private:
  void number_elements(const PacketRegion& region, uint32_t first);
  rte_mempool_cache* own_cache() const;
  void prefetch_next() const;

  rte_mempool* mempool_;
  uint32_t count_;
};

}  // namespace qstack
