// A queue of our own on the interface of DPDK's tap driver, for two things that the driver does not do:
// a burst leaves in one system call (io_uring) instead of one write(2) for each frame; and the queue has NAPI, so that the kernel may
// work on what we send in a thread of its own, beside ours (/sys/class/net/NAME/threaded), and GRO joins frames. Without it each
// frame goes up the peer's whole TCP before its write(2) returns.
//
// The kernel decides at a file's TUNSETIFF whether its queue has NAPI, and the driver does not ask for it. So the file here takes
// the place of the driver's under the driver's own descriptors (dup2), through which it goes on receiving.
//
// In: the device's index, started. Out: frames on the interface. For this room only.
#pragma once

#include <liburing.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "native/port/descriptor.hh"

struct rte_mbuf;

namespace qstack {

class TapQueue {
 public:
  static constexpr uint32_t kFrames = 64;

  /// Null: the kernel gives no such queue, or no io_uring (a container may forbid it), and the driver keeps its own.
  static std::unique_ptr<TapQueue> open(uint32_t interface_index);
  ~TapQueue();
  TapQueue(const TapQueue&) = delete;
  TapQueue& operator=(const TapQueue&) = delete;

  /// Writes and frees up to kFrames frames of one segment each. One that the kernel refuses is lost, as on a wire, and counted.
  /// False: the kernel takes nothing here any more.
  bool transmit(rte_mbuf** frames, uint32_t count);
  uint64_t errors() const { return errors_; }
  /// A descriptor, the caller's, that is readable while frames wait to be received.
  Descriptor readable() const { return Descriptor(dup(file_)); }

 private:
  explicit TapQueue(int file);
  bool take_place(std::string_view interface);
  bool complete(uint32_t count);

  io_uring ring_{};
  int file_;
  bool has_ring_;
  uint64_t errors_ = 0;
  std::array<std::array<iovec, 2>, kFrames> parts_{};
};

}  // namespace qstack
