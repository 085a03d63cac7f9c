#include "native/port/dpdk_pool.hh"

#include <rte_errno.h>
#include <rte_mempool.h>

#include <stdexcept>

#include "native/port/eal.hh"
#include "native/port/mbuf.hh"

namespace qstack {

namespace {

constexpr uint32_t kElement = sizeof(rte_mbuf) + sizeof(Packet) + kHeadroom + kRoom;
/// Objects may cross pages: no device addresses them physically. One thread puts and gets.
constexpr uint32_t kFlags = RTE_MEMPOOL_F_NO_IOVA_CONTIG | RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET;

[[noreturn]] void fail(const std::string& name, const char* what, int error) {
  throw std::runtime_error("packet pool \"" + name + "\": " + what + " (" + rte_strerror(error) + ")");
}

rte_mempool* create(const std::string& name, uint32_t count, uint32_t extra_room) {
  if (!eal_running()) throw std::runtime_error("packet pool \"" + name + "\": DPDK is not started");
  rte_mempool* const pool = rte_mempool_create_empty(name.c_str(), count, kElement + extra_room, 0,
                                                     sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY, kFlags);
  if (pool == nullptr) fail(name, "not created", rte_errno);
  return pool;
}

void populate(rte_mempool* pool, const PacketRegion& region, uint32_t first, uint32_t count, uint32_t extra_room) {
  int result = rte_mempool_set_ops_byname(pool, "ring_sp_sc", nullptr);
  if (result != 0) fail(pool->name, "DPDK's ring driver is missing (librte_mempool_ring)", -result);
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

uint32_t DpdkPool::allocate(Packet** out, uint32_t n) {
  auto** const mbufs = reinterpret_cast<rte_mbuf**>(out);
  if (rte_pktmbuf_alloc_bulk(mempool_, mbufs, n) != 0) return 0;
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

uint32_t DpdkPool::available() const { return rte_mempool_avail_count(mempool_); }

}  // namespace qstack
