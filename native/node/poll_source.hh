// PollSource: something else than a stack that an app thread's poller polls (the Redis client is one).
//
// In: the time. Out: whether JavaScript has to be entered. Polled before JavaScript is entered, so that what has
// arrived is seen in this turn, and after it, so that what was written in this turn leaves in this turn. Used by the
// poller's thread alone.
#pragma once

#include <cstdint>

#include "native/mempool/packet.hh"

namespace qstack {

struct PollSource {
  virtual ~PollSource() = default;
  /// Moves what can be moved. Returns the number of events that wait for JavaScript; 0: no reason to enter it.
  virtual uint32_t poll(Nanos now) = 0;
  /// True: the poller must not sleep. Something that waits only for bytes of a peer is not busy: it has a wait_fd.
  virtual bool busy() const = 0;
  /// A descriptor (an epoll one, for several sockets) that is readable when poll() has something to do; -1: none. Asked
  /// once, when the source is added. Level-triggered: the poller wakes as long as it is readable.
  virtual int wait_fd() const { return -1; }
  /// When poll() wants to be called at the latest (time-outs, reconnects); 0: never.
  virtual Nanos deadline() const { return 0; }
};

}  // namespace qstack
