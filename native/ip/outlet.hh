// Outlet: how the rooms of native/ip send a frame: an empty packet from the TX pool, then the queue, or a counted drop.
// Frames are written without a tag; that of our VLAN is put in on their way to the queue.
#pragma once

#include "native/abi/counters.hh"
#include "native/ip/tx_queue.hh"
#include "native/mempool/packet_pool.hh"
#include "native/wire/vlan.hh"

namespace qstack {

struct Outlet {
  PacketPool& pool;  ///< frames are made of it, and go back to it
  TxQueue& queue;
  Counters& counters;
  uint16_t vlan = 0;  ///< 0: frames leave untagged

  /// Null (counted) when the pool is empty.
  Packet* make() {
    Packet* const packet = pool.allocate();
    if (packet == nullptr) counters.add(Counter::drop_no_packet);
    return packet;
  }

  /// Takes over one reference; a full queue gives it back to the pool. True: the frame is queued.
  bool send(Packet* packet) {
    if (vlan != 0) [[unlikely]]
      tag(packet);
    if (queue.push(packet)) {
      counters.add(Counter::tx_packets);
      counters.add(Counter::tx_bytes, packet->length);
      return true;
    }
    drop(packet, Counter::drop_tx_full);
    return false;
  }

  void drop(Packet* packet, Counter reason) {
    counters.add(reason);
    pool.release(packet);
  }

 private:
  void tag(Packet* packet) const;
};

}  // namespace qstack
