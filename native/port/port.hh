// Port: where frames come in and go out. The only door of the core to a device.
//
// In: rx_burst hands over frames that the caller owns from then on (data, length, rx_stamp are set).
// Out: tx_burst takes over one reference of every frame that it accepts (from the front, in order).
// A port never blocks, never ends the process, and is used by one thread.
#pragma once

#include <cstdint>

#include "native/mempool/packet_pool.hh"
#include "native/wire/mac.hh"

namespace qstack {

class Port {
 public:
  virtual ~Port() = default;
  virtual uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) = 0;
  virtual uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) = 0;
  virtual MacAddress mac() const = 0;
  virtual uint16_t mtu() const = 0;
  virtual bool link_up() = 0;

  /// Readable when a frame came while the port was armed; the same as long as the port lives. -1: it wakes nobody, and is polled.
  virtual int wake_fd() const { return -1; }
  /// What came before is seen by the next burst alone.
  virtual void arm() {}
  virtual void disarm() {}
};

}  // namespace qstack
