#include "native/port/tap_queue.hh"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

namespace qstack {

namespace {
constexpr const char* kDevice = "/dev/net/tun";

/// The driver never asks for IFF_NO_PI: this stands before each frame, whose own type counts.
tun_pi no_information{};

/// The descriptors of the queue that the driver has opened for this interface; one that only keeps the interface is detached.
std::vector<int> driver_files(std::string_view interface) {
  std::vector<int> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    if (std::filesystem::read_symlink(entry.path(), error) != kDevice || error) continue;
    const int file = std::atoi(entry.path().filename().c_str());
    ifreq found{};
    if (ioctl(file, TUNGETIFF, &found) != 0 || interface != found.ifr_name) continue;
    if ((found.ifr_flags & IFF_DETACH_QUEUE) == 0) files.push_back(file);
  }
  return files;
}

}  // namespace

std::unique_ptr<TapQueue> TapQueue::open(uint32_t interface_index) {
  std::array<char, IF_NAMESIZE> name{};
  if (if_indextoname(interface_index, name.data()) == nullptr) return nullptr;
  const int file = ::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return nullptr;
  std::unique_ptr<TapQueue> queue(new TapQueue(file));
  return queue->take_place(name.data()) ? std::move(queue) : nullptr;
}

TapQueue::TapQueue(int file) : file_(file), has_ring_(io_uring_queue_init(kFrames, &ring_, 0) == 0) {}

TapQueue::~TapQueue() {
  if (has_ring_) io_uring_queue_exit(&ring_);
  close(file_);
}

bool TapQueue::take_place(std::string_view interface) {
  if (!has_ring_) return false;
  const std::vector<int> files = driver_files(interface);
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_MULTI_QUEUE | IFF_NAPI;
  if (files.empty() || ioctl(file_, TUNSETIFF, &request) != 0) return false;
  for (const int taken : files) dup2(file_, taken);
  return true;
}

bool TapQueue::transmit(rte_mbuf** frames, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    auto& parts = parts_[i];
    parts[0] = {.iov_base = &no_information, .iov_len = sizeof no_information};
    parts[1] = {.iov_base = rte_pktmbuf_mtod(frames[i], void*), .iov_len = frames[i]->data_len};
    io_uring_prep_writev(io_uring_get_sqe(&ring_), file_, parts.data(), parts.size(), 0);
  }
  const bool ok = complete(count);
  rte_pktmbuf_free_bulk(frames, count);
  return ok;
}

/// The kernel writes each in the system call itself: a tap's file does not block.
bool TapQueue::complete(uint32_t count) {
  while (count > 0) {
    const int result = io_uring_submit_and_wait(&ring_, count);
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) [[unlikely]]
      return false;
    io_uring_cqe* entry = nullptr;
    unsigned head = 0;
    uint32_t done = 0;
    io_uring_for_each_cqe(&ring_, head, entry) {
      if (entry->res < 0) ++errors_;
      ++done;
    }
    io_uring_cq_advance(&ring_, done);
    count -= done;
  }
  return true;
}

}  // namespace qstack
