// Doorbell: what a thread that has nothing to do sleeps on, until frames, another thread or the time wake it.
//
// In: a descriptor to watch; ring() from any thread. Out: sleep() ends. Invariant: whoever writes for the sleeper and then rings either
// wakes it, or has written before the look that the sleeper takes between attend() and its first sleep() (Dekker: each side writes,
// then a full fence, then reads).
#pragma once

#include <atomic>

#include "native/mempool/packet.hh"
#include "native/port/descriptor.hh"
#include "native/ring/spsc_ring.hh"

namespace qstack {

class Doorbell {
 public:
  /// Throws std::system_error.
  Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  /// Any thread. Costs a fence while nobody attends.
  void ring() {
    full_fence();
    if (attended_.load(std::memory_order_relaxed)) [[unlikely]] write();
  }

  // By the thread that sleeps.

  /// Readable is as good as rung. Once is enough.
  void watch(int fd);
  /// Rings count from now on, until leave(): look once more at what is written for you, then sleep().
  void attend() {
    attended_.store(true, std::memory_order_relaxed);
    full_fence();
  }
  /// Until it rings, `most` at most. False: it did not, and the next sleep() misses nothing.
  bool sleep(Nanos most);
  void leave() { attended_.store(false, std::memory_order_relaxed); }

 private:
  void write();

  Descriptor rings_;  ///< an eventfd
  Descriptor ready_;  ///< an epoll instance with it and what is watched
  std::atomic<bool> attended_{false};
};

}  // namespace qstack
