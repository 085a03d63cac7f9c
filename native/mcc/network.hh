// Network: what the generator needs from a stack, and no more; unit tests put a fake in its place.
//
// Calls are made between the stack's turns, never from inside an App callback.
#pragma once

#include "native/tcp/app.hh"

namespace qstack::mcc {

class Network {
 public:
  virtual ~Network() = default;
  /// Starts an active open to the server; slot == kNoIndex when the stack has no slot, port or route left.
  virtual Handle connect(Endpoint local, uint64_t token, Nanos now) = 0;
  /// A packet for one message (payload_start is free to write), or nullptr while there is no room.
  virtual Packet* allocate() = 0;
  /// Takes over the packet. False: the connection is gone.
  virtual bool send(Handle handle, Packet* packet, Nanos now) = 0;
  /// The connection in this slot will be asked for soon.
  virtual void prefetch(uint32_t slot) const = 0;
  virtual void release(Handle handle, Packet* packet, uint16_t length, Nanos now) = 0;
  virtual void close(Handle handle, Nanos now) = 0;
  virtual void abort(Handle handle, Nanos now) = 0;
  /// Connections of which the peer's TCP has not acknowledged everything.
  virtual uint32_t in_transit() const = 0;
  /// True: a turn looks for what has come between its events as well, and not only before them.
  virtual bool looks_between_events() const { return false; }
};

}  // namespace qstack::mcc
