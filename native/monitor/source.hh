// Source: where frames come from. A mirror of a server, a device, an interface or a file is one of these each.
//
// In: nothing, or a path or a name. Out: frames (their first bytes, their length on the wire) with the time at which they
// passed, since the epoch. Used by the capture's thread alone, from open() on.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>

#include "native/mempool/packet.hh"

namespace qstack::monitor {

using FrameSink = std::function<void(Nanos time, uint32_t length, std::span<const uint8_t> bytes)>;

class Source {
 public:
  virtual ~Source() = default;
  /// std::runtime_error with one sentence.
  virtual void open() {}
  /// Some frames, at most some thousand; how much that was, for `rest`: 0 when there are none, -1 when there are no more, ever.
  /// std::runtime_error.
  virtual int read(const FrameSink& sink) = 0;
  /// After a read that brought `got`: waits for more where that is worth it, a few milliseconds at most. False: it did not.
  virtual bool rest(int got) = 0;
  /// Its frames wait for us: nothing is lost where we are slow, and their times are not those of our clock.
  virtual bool patient() const { return false; }
  /// Whether its other end is there; where a source has none, it always is.
  virtual bool connected() { return true; }
  /// Frames that the device or the kernel had no room for.
  virtual uint64_t missed() { return 0; }
};

/// CLOCK_REALTIME in nanoseconds.
Nanos wall_clock();

}  // namespace qstack::monitor
