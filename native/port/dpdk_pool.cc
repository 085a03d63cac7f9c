#include "native/port/dpdk_pool.hh"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include <algorithm>
#include <stdexcept>

#include "native/port/eal.hh"
#include "native/port/mbuf.hh"

namespace qstack {

namespace {

constexpr uint32_t kElement = sizeof(rte_mbuf) + sizeof(Packet) + kHeadroom + kRoom;
/// Objects may cross pages: no device addresses them physically.
constexpr uint32_t kFlags = RTE_MEMPOOL_F_NO_IOVA_CONTIG;
/// What a registered thread keeps at hand without the pool's lock; less in a small pool.
constexpr uint32_t kCacheMax = 256;

[[noreturn]] void fail(const std::string& name, const char* what, int error) {
  throw std::runtime_error("packet pool \"" + name + "\": " + what + " (" + rte_strerror(error) + ")");
}

rte_mempool* create(const std::string& name, uint32_t count, uint32_t extra_room) {
  if (!eal_running()) throw std::runtime_error("packet pool \"" + name + "\": DPDK is not started");
  rte_mempool* const pool = rte_mempool_create_empty(name.c_str(), count, kElement + extra_room, std::min(kCacheMax, count / 8),
                                                     sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY, kFlags);
  if (pool == nullptr) fail(name, "not created", rte_errno);
  return pool;
}

void populate(rte_mempool* pool, const PacketRegion& region, uint32_t first, uint32_t count, uint32_t extra_room) {
  // Last in, first out: the packets in use are the ones in the cache, and pages that no peak has needed stay untouched.
  int result = rte_mempool_set_ops_byname(pool, "stack", nullptr);
  if (result != 0) fail(pool->name, "DPDK's stack driver is missing (librte_mempool_stack)", -result);
  rte_pktmbuf_pool_private setup{};
  setup.mbuf_data_room_size = static_cast<uint16_t>(kHeadroom + kRoom + extra_room);
  setup.mbuf_priv_size = sizeof(Packet);
  rte_pktmbuf_pool_init(pool, &setup);
  uint8_t* const start = region.base + uint64_t{first} * region.stride;
  result = rte_mempool_populate_iova(pool, reinterpret_cast<char*>(start), reinterpret_cast<rte_iova_t>(start),
                                     size_t{count} * region.stride, nullptr, nullptr);
  if (result < 0) fail(pool->name, "memory not taken", -result);
  if (static_cast<uint32_t>(result) != count) fail(pool->name, "fewer packets than planned", ENOSPC);
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
}

struct Numbering {
  const PacketRegion* region;
  uint32_t first;
  uint32_t wrong;
};

void number_element(rte_mempool*, void* numbering_arg, void* object, unsigned order) {
  auto* const numbering = static_cast<Numbering*>(numbering_arg);
  Packet* const packet = packet_of(static_cast<rte_mbuf*>(object));
  const uint32_t index = numbering->first + order;
  if (numbering->region->at(index) != packet) ++numbering->wrong;
  *packet = Packet{};
  packet->index = index;
}

}  // namespace

PacketRegion dpdk_region(uint8_t* base, uint32_t count, uint32_t extra_room) {
  rte_mempool_objsz size{};
  PacketRegion region;
  region.base = base;
  region.stride = rte_mempool_calc_obj_size(kElement + extra_room, kFlags, &size);
  region.packet_at = size.header_size + static_cast<uint32_t>(sizeof(rte_mbuf));
  region.count = count;
  return region;
}

DpdkPool::DpdkPool(const std::string& name, const PacketRegion& region, uint32_t first, uint32_t count)
    : mempool_(nullptr), count_(count) {
  const uint32_t extra_room = region.stride - dpdk_region(nullptr, 1).stride;
  mempool_ = create(name, count, extra_room);
  try {
    populate(mempool_, region, first, count, extra_room);
    number_elements(region, first);
  } catch (...) {
    rte_mempool_free(mempool_);
    throw;
  }
}

DpdkPool::~DpdkPool() { rte_mempool_free(mempool_); }

/// The region's formula must hold for every element, or JavaScript would read other bytes than we do.
void DpdkPool::number_elements(const PacketRegion& region, uint32_t first) {
  Numbering numbering{&region, first, 0};
  rte_mempool_obj_iter(mempool_, number_element, &numbering);
  if (numbering.wrong > 0) fail(mempool_->name, "DPDK lays packets out in another way", EINVAL);
}

/// What this thread has at hand; null in one that EAL has no number for.
rte_mempool_cache* DpdkPool::own_cache() const { return rte_mempool_default_cache(mempool_, rte_lcore_id()); }

/// The packet that the fourth call from now will get: callers take one at a time.
void DpdkPool::prefetch_next() const {
  const rte_mempool_cache* const cache = own_cache();
  if (cache == nullptr || cache->len < 4) return;
  auto* const mbuf = static_cast<rte_mbuf*>(cache->objs[cache->len - 4]);
  __builtin_prefetch(mbuf, 1);
  __builtin_prefetch(packet_of(mbuf), 1);
}

uint32_t DpdkPool::allocate(Packet** out, uint32_t n) {
  auto** const mbufs = reinterpret_cast<rte_mbuf**>(out);
  if (rte_pktmbuf_alloc_bulk(mempool_, mbufs, n) != 0) return 0;
  prefetch_next();
  for (uint32_t i = 0; i < n; ++i) {
    out[i] = packet_of(mbufs[i]);
    reset_packet(out[i]);
  }
  return n;
}

void DpdkPool::release(Packet* packet) {
  rte_mbuf* const mbuf = rte_pktmbuf_prefree_seg(mbuf_of(packet));
  if (mbuf == nullptr) return;
  packet->owner = PacketOwner::pool;
  rte_mbuf_raw_free(mbuf);
}

void DpdkPool::hold(Packet* packet) { rte_mbuf_refcnt_update(mbuf_of(packet), 1); }

bool DpdkPool::shared(const Packet* packet) const { return rte_mbuf_refcnt_read(mbuf_of(packet)) > 1; }

/// One thread at a time uses a pool, and leaves nothing at hand to the next (eal_enter_thread, eal_leave_thread). DPDK's own count
/// looks at the caches of all threads that there could be: at each segment that is more work than the segment.
uint32_t DpdkPool::available() const {
  const rte_mempool_cache* const cache = own_cache();
  return rte_mempool_get_ops(mempool_->ops_index)->get_count(mempool_) + (cache == nullptr ? 0 : cache->len);
}

}  // namespace qstack
