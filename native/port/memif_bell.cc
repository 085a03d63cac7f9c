#include "native/port/memif_bell.hh"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "native/ring/spsc_ring.hh"

namespace qstack {

namespace {

// The protocol's numbers (memif 2.0), its messages packed and in the machine's order.
constexpr uint16_t kAddRegion = 4;
constexpr uint16_t kAddRing = 5;
constexpr uint16_t kConnected = 7;
constexpr uint16_t kClientSends = 1;  ///< flag of a ring
constexpr uint32_t kCookie = 0x3E31F20;
constexpr uint16_t kMaskInterrupt = 1;
constexpr size_t kFlagsAt = 4;  ///< in a ring, behind its cookie
constexpr size_t kHeader = 8;   ///< with the head, in the ring's first line

constexpr size_t kPage = 4096;

template <typename T>
T load(std::span<const uint8_t> bytes, size_t at) {
  T value{};
  if (at + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

Descriptor duplicate(int fd) { return Descriptor(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

/// Bytes that will stay there, whatever its client does.
size_t sealed_bytes(int memory) {
  const int seals = fcntl(memory, F_GET_SEALS);
  struct stat status {};
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(memory, &status) != 0) return 0;
  return static_cast<size_t>(status.st_size);
}

}  // namespace

void MemifRing::hear(std::span<const uint8_t> message, int fd) {
  if (fd < 0) return;
  const auto type = load<uint16_t>(message, 0);
  if (type == kAddRegion && load<uint16_t>(message, 2) == 0) memory_ = duplicate(fd);
  const bool first = load<uint16_t>(message, 4) == 0 && load<uint16_t>(message, 6) == 0;  // ring 0, in region 0
  if (type != kAddRing || (load<uint16_t>(message, 2) & kClientSends) == 0 || !first) return;
  event_ = duplicate(fd);
  offset_ = load<uint32_t>(message, 8);
}

bool MemifRing::is_connected(std::span<const uint8_t> message) { return load<uint16_t>(message, 0) == kConnected; }

MemifBell::MemifBell() : ready_(epoll_create1(EPOLL_CLOEXEC)) {
  if (ready_.get() < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

void MemifBell::connect(MemifRing ring) {
  disconnect();
  const std::lock_guard guard(mutex_);
  map(ring);
  if (flags_ == nullptr) return;
  // By edges: a counter that nobody reads tells of each write all the same.
  epoll_event wanted{.events = EPOLLIN | EPOLLET, .data = {}};
  event_ = std::move(ring.event_);
  // DPDK reads it when the flag is clear, and must not wait there.
  fcntl(event_.get(), F_SETFL, fcntl(event_.get(), F_GETFL) | O_NONBLOCK);
  if (epoll_ctl(ready_.get(), EPOLL_CTL_ADD, event_.get(), &wanted) != 0) flags_ = nullptr;  // a file that nobody can wait for
  show();
}

/// Leaves flags_ null where the client has told nothing of use.
void MemifBell::map(const MemifRing& ring) {
  const size_t from = ring.offset_ / kPage * kPage, at = ring.offset_ % kPage;
  const bool whole = ring.offset_ % sizeof(uint64_t) == 0 && ring.event_.get() >= 0 &&
                     ring.offset_ + kHeader <= sealed_bytes(ring.memory_.get());
  if (!whole) return;
  void* const page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, ring.memory_.get(), static_cast<off_t>(from));
  if (page == MAP_FAILED) return;
  page_ = page;
  auto* const header = static_cast<uint8_t*>(page) + at;
  if (load<uint32_t>({header, kHeader}, 0) == kCookie) flags_ = reinterpret_cast<uint16_t*>(header + kFlagsAt);
}

void MemifBell::disconnect() {
  const std::lock_guard guard(mutex_);
  if (event_.get() >= 0) epoll_ctl(ready_.get(), EPOLL_CTL_DEL, event_.get(), nullptr);
  event_ = Descriptor();
  if (page_ != nullptr) munmap(page_, kPage);
  page_ = flags_ = nullptr;
}

void MemifBell::set_armed(bool armed) {
  const std::lock_guard guard(mutex_);
  epoll_event told;
  if (event_.get() >= 0) epoll_wait(ready_.get(), &told, 1, 0);  // what has been told before counts no more
  armed_ = armed;
  show();
}

/// Tells the client. Whoever armed looks at the device once more: behind the fence he sees what came before.
void MemifBell::show() const {
  if (flags_ == nullptr) return;
  std::atomic_ref<uint16_t>(*flags_).store(armed_ ? 0 : kMaskInterrupt, std::memory_order_relaxed);
  full_fence();
}

}  // namespace qstack
