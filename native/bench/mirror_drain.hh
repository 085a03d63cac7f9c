// MirrorDrain: a reader of a server's mirror that costs next to nothing: it takes the records and throws them away, and naps in between.
// It stands for a monitor on a core of its own.
//
// In: a memif client at the mirror's socket. Out: records, and how many more found no room.
#pragma once

#include "native/port/port.hh"

namespace qstack::bench {

class MirrorDrain {
 public:
  MirrorDrain(Port& port, PacketPool& rx) : port_(port), rx_(rx) {}
  uint32_t turn(Nanos now);
  uint64_t records() const { return records_; }
  /// Of the last server's.
  uint32_t dropped() const { return dropped_; }

 private:
  Port& port_;
  PacketPool& rx_;
  uint64_t records_ = 0;
  uint32_t dropped_ = 0;
};

}  // namespace qstack::bench
