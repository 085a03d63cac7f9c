// FrameBatch: packets in order, a burst at most.
#pragma once

#include <array>
#include <cstdint>

#include "native/mempool/packet.hh"

namespace qstack {

struct FrameBatch {
  static constexpr uint32_t kBurst = 64;

  uint32_t size() const { return end - first; }
  Packet** begin() { return packets.data() + first; }
  void push(Packet* packet) { packets[end++] = packet; }
  void pop(uint32_t n) {
    first += n;
    if (first == end) first = end = 0;
  }

  std::array<Packet*, kBurst> packets;
  uint32_t first = 0;
  uint32_t end = 0;
};

}  // namespace qstack
