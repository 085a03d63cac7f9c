#include "native/mempool/heap_pool.hh"

#include <cassert>

namespace qstack {

namespace {

constexpr uint32_t kStride = sizeof(Packet) + kHeadroom + kRoom;
static_assert(kStride % alignof(Packet) == 0, "elements follow each other without a gap");

}  // namespace

HeapRegion::HeapRegion(uint32_t count) : memory_(size_t{count} * kStride) {
  region_ = {.base = memory_.data(), .stride = kStride, .packet_at = 0, .count = count};
}

HeapPool::HeapPool(const PacketRegion& region, uint32_t first, uint32_t count)
    : region_(region), first_(first), references_(count, 0), free_(count), free_count_(count) {
  assert(uint64_t{first} + count <= region.count);
  for (uint32_t i = 0; i < count; ++i) {
    free_[i] = first + i;
    Packet* const packet = region_.at(first + i);
    *packet = Packet{};
    packet->index = first + i;
  }
}

uint32_t HeapPool::allocate(Packet** out, uint32_t n) {
  if (free_count_ < n) return 0;
  for (uint32_t i = 0; i < n; ++i) out[i] = take();
  return n;
}

Packet* HeapPool::take() {
  const uint32_t index = free_[free_head_];
  if (++free_head_ == free_.size()) free_head_ = 0;
  --free_count_;
  Packet* const packet = region_.at(index);
  *packet = Packet{};
  packet->index = index;
  packet->data = PacketRegion::payload_start(packet);
  packet->owner = PacketOwner::stack;
  references(packet) = 1;
  return packet;
}

void HeapPool::release(Packet* packet) {
  assert(packet->index - first_ < references_.size() && "a packet of another pool");
  uint16_t& count = references(packet);
  assert(count > 0 && "released twice");
  if (--count > 0) return;
  packet->owner = PacketOwner::pool;
  uint32_t tail = free_head_ + free_count_;
  if (tail >= free_.size()) tail -= static_cast<uint32_t>(free_.size());
  free_[tail] = packet->index;
  ++free_count_;
}

void HeapPool::hold(Packet* packet) {
  assert(references(packet) > 0 && "holding a free packet");
  ++references(packet);
}

bool HeapPool::shared(const Packet* packet) const { return references_[packet->index - first_] > 1; }

}  // namespace qstack
