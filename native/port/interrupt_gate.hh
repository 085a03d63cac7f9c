// InterruptGate: keeps EAL's interrupt thread from taking a memif connection down under a polling thread's hands.
//
// The memif driver unmaps a lost peer's memory in EAL's interrupt thread, while rx_burst or tx_burst may be reading it.
// So that thread spends its time parked in a handler of ours. When something has come up (connect, disconnect, our
// reconnects; it looks when a device's door is knocked at, and every 200 ms), the gate opens: pollers stay out of their devices, the
// thread does it, and parks again.
// While connections stand it stays closed: on a busy core the thread may lose its core in the middle of an opening.
//   poller:    enter() ─ burst ─ leave()           interrupt thread: open ─ pollers out ─ EAL's events ─ close ─ wait
// Invariant: no handler of EAL's runs while a gated poller is inside. A poller never waits: it returns with no frames.
#pragma once

#include <atomic>
#include <mutex>

#include "native/mempool/packet.hh"

namespace qstack {

/// One device behind the gate. Entered by its polling thread; attended by the interrupt thread, and maintained by it while the
/// gate is open.
class GatedDevice {
 public:
  virtual ~GatedDevice() = default;

  /// False: stay out for this burst.
  bool enter() {
    inside_.store(true, std::memory_order_seq_cst);
    if (!open.load(std::memory_order_seq_cst)) [[likely]]
      return true;
    leave();
    return false;
  }
  void leave() { inside_.store(false, std::memory_order_release); }
  bool inside() const { return inside_.load(std::memory_order_seq_cst); }

  /// Called at the closed gate, behind an opening and then at least every 200 ms. True: maintain() has something to do.
  virtual bool attend() = 0;
  /// Readable when attend() has something to do; -1: the time alone tells.
  virtual int door_fd() const { return -1; }
  /// Called in every opening with monotonic time.
  virtual void maintain(Nanos now) = 0;

 private:
  friend class InterruptGate;
  /// EAL has one interrupt thread per process, and so there is one gate.
  inline static std::atomic<bool> open{true};
  std::atomic<bool> inside_{false};
};

class InterruptGate {
 public:
  /// By the control thread, with EAL running; the device is not maintained any more after remove() has returned.
  static void add(GatedDevice& device);
  static void remove(GatedDevice& device);

  /// How often the gate has been open.
  static uint64_t openings();

  /// While one lives, the interrupt thread handles nothing: the control thread may start or close a gated device.
  class Hold {
   public:
    Hold() : lock_(handling()) {}

   private:
    std::lock_guard<std::mutex> lock_;
  };

 private:
  /// Held by the interrupt thread from an opening to its next parking.
  static std::mutex& handling();
  static void park(void*);
  static void wait_for_work();
  static bool attend();
  static void open_gate();
  static void rest();
  static void hook();
};

}  // namespace qstack
