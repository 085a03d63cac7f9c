// MemifLink: what a memif device needs beside its bursts: a gate before them, for a client a new connection, and for a
// server its door.
//
// In: openings of the gate. Out: a device that is started whenever its server lets it. For this room only.
// Read first: interrupt_gate.hh, memif_door.hh.
#pragma once

#include "native/port/interrupt_gate.hh"

namespace qstack {

class MemifDoor;

class MemifLink final : public GatedDevice {
 public:
  /// `door` of a server, which outlives this; null: it has none.
  MemifLink(uint16_t port, bool client, MemifDoor* door);
  ~MemifLink() override;

  /// Bursts are allowed. Read after enter().
  bool started() const { return started_.load(std::memory_order_relaxed); }
  /// A client whose server is not there stays stopped, and is started by maintain.
  void start();
  bool attend() override;
  int door_fd() const override;
  void maintain(Nanos now) override;

 private:
  uint16_t port_;
  bool client_;
  MemifDoor* door_;
  std::atomic<bool> started_{false};
  Nanos retry_at_ = 0;  ///< 0: the link was up
  bool touched_ = false;  ///< the rings of the connection that stands
};

}  // namespace qstack
