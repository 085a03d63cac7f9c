// FrameWay: frames from one stack thread to another, in one direction, by reference there and out by copy.
//
//   FrameSender ──frames──▶ FrameReceiver: copies each into a packet of its own pool
//               ◀─returns── the same packet, so that only the sender's thread ever touches the sender's pool
//
// So a pool stays with one thread: neither its free list nor DPDK's caches, nor a packet's count of references, are shared.
// Invariant: at most `capacity` of the sender's packets are away, so returning never fails. Each line is written by one thread.
// Both ends are stopped before either is destroyed; nothing is allocated in between.
#pragma once

#include "native/mempool/mapping.hh"
#include "native/mempool/packet_pool.hh"
#include "native/ring/spsc_ring.hh"

namespace qstack {

/// The memory between two ends.
class FrameWay {
 public:
  explicit FrameWay(uint32_t capacity_power_of_two) : frames_(capacity_power_of_two), returns_(capacity_power_of_two) {}
  FrameWay(const FrameWay&) = delete;
  FrameWay& operator=(const FrameWay&) = delete;

 private:
  friend class FrameSender;
  friend class FrameReceiver;

  struct Ring {
    explicit Ring(uint32_t capacity) : records(capacity * sizeof(void*)), capacity(capacity) {}
    RingView<Packet*> view() { return {&header, reinterpret_cast<Packet**>(records.data()), capacity}; }

    abi::RingHeader header{};
    Mapping records;
    uint32_t capacity;
  };

  Ring frames_;
  Ring returns_;
};

/// The end that packets leave from.
class alignas(64) FrameSender {
 public:
  /// `home`: the pool of every packet that is sent.
  FrameSender(FrameWay& way, PacketPool& home);
  ~FrameSender();
  FrameSender(const FrameSender&) = delete;
  FrameSender& operator=(const FrameSender&) = delete;

  /// Takes over one reference of each packet that it accepts, from the front; returns their number. A frame has at most kRoom
  /// bytes, and stays as it is until it has come home.
  uint32_t send(Packet* const* packets, uint32_t n);
  /// Releases what has come home.
  void reclaim();

 private:
  PacketPool& home_;
  RingView<Packet*> way_;
  RingProducer<Packet*> frames_;
  RingConsumer<Packet*> returns_;
  uint32_t away_ = 0;
};

/// The end that copies.
class alignas(64) FrameReceiver {
 public:
  /// `pool` gives the packets for copies.
  FrameReceiver(FrameWay& way, PacketPool& pool);
  FrameReceiver(const FrameReceiver&) = delete;
  FrameReceiver& operator=(const FrameReceiver&) = delete;

  /// At most `n` frames, with the stamps that they had and arrival numbers of this end. While the pool is empty they wait.
  uint32_t receive(Packet** out, uint32_t n);

 private:
  void foresee(uint32_t ahead) const;

  PacketPool& pool_;
  RingConsumer<Packet*> frames_;
  RingProducer<Packet*> returns_;
  uint32_t arrival_ = 0;
};

}  // namespace qstack
