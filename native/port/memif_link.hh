// MemifLink: what a memif device needs beside its bursts: a gate before them, and for a client a new connection.
//
// In: openings of the gate. Out: a device that is started whenever its server lets it. For this room only.
// Read first: interrupt_gate.hh.
#pragma once

#include "native/port/interrupt_gate.hh"

namespace qstack {

class MemifLink final : public GatedDevice {
 public:
  /// `started`: whether the device's first start, a client's first connect, went well.
  MemifLink(uint16_t port, bool client, bool started);
  ~MemifLink() override;

  /// Bursts are allowed. Read after enter().
  bool started() const { return started_.load(std::memory_order_relaxed); }
  void maintain(Nanos now) override;

 private:
  uint16_t port_;
  bool client_;
  std::atomic<bool> started_;
  Nanos retry_at_ = 0;  ///< 0: the link was up
};

}  // namespace qstack
