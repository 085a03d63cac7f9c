// MemifBell: wakes who waits for frames of a memif server, by the protocol's interrupt mode: a client writes to the eventfd of its ring
// behind each burst, unless the ring's flag masks that. DPDK's driver masks it always and has no way to ask for it.
//
//   client ── control channel ──▶ MemifDoor ── memory, place of the ring, eventfd ──▶ MemifBell ──▶ fd()
//
// In: what a client tells of its first ring. Out: a descriptor that is readable when a frame came while armed. Invariant: the memory is
// mapped here a second time, and only where its client cannot shrink it (a seal): what DPDK unmaps is nothing to us.
// A client writes its ring's head and reads the flag without a fence in between: it may miss that the flag has just been cleared, so
// who sleeps here sleeps for milliseconds at most.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>

#include "native/port/descriptor.hh"

namespace qstack {

/// What a client has told so far of the first ring that it sends on.
class MemifRing {
 public:
  /// A message of the client's with the descriptor that came with it, or -1; it is duplicated where it is of use.
  void hear(std::span<const uint8_t> message, int fd);
  /// A message of the server's: both have agreed.
  static bool is_connected(std::span<const uint8_t> message);

 private:
  friend class MemifBell;

  Descriptor memory_;
  Descriptor event_;
  uint32_t offset_ = 0;  ///< of the ring in the memory
};

class MemifBell {
 public:
  /// Throws std::system_error.
  MemifBell();
  ~MemifBell() { disconnect(); }
  MemifBell(const MemifBell&) = delete;
  MemifBell& operator=(const MemifBell&) = delete;

  int fd() const { return ready_.get(); }

  // By the door.

  /// Without a ring whose client lets itself be asked nothing wakes.
  void connect(MemifRing ring);
  void disconnect();

  // By the thread that polls.

  void arm() { set_armed(true); }
  void disarm() { set_armed(false); }

 private:
  void set_armed(bool armed);
  void show() const;
  void map(const MemifRing& ring);

  std::mutex mutex_;
  Descriptor ready_;  ///< an epoll instance with the eventfd of the ring
  Descriptor event_;
  void* page_ = nullptr;  ///< where the ring begins
  uint16_t* flags_ = nullptr;  ///< of the ring; null: there is none
  bool armed_ = false;
};

}  // namespace qstack
