#include "native/port/memif_link.hh"

#include <rte_ethdev.h>
#include <rte_log.h>
#include <sys/mman.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include "native/port/memif_door.hh"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace qstack {

namespace {

constexpr Nanos kMilli = 1'000'000;
/// Without a server a connect fails at once; one that has begun takes a dozen openings of both sides' gates.
constexpr Nanos kRetryInterval = 100 * kMilli;
constexpr Nanos kConnectTimeout = 2'000 * kMilli;

bool is_up(uint16_t port) {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

/// The rings that both ends map are pages of a file that nobody has touched: else each of them costs the first frame that comes
/// to lie there a fault, and the process its memory, long after the start. The driver tells nobody where they are. A kernel
/// without this call (before 5.14) leaves it at that.
void touch_rings() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/memfd:memif_region") == std::string::npos) continue;
    std::istringstream range(line);
    void *start = nullptr, *end = nullptr;
    char dash = 0;
    if (!(range >> start >> dash >> end)) continue;
    madvise(start, static_cast<size_t>(static_cast<char*>(end) - static_cast<char*>(start)), MADV_POPULATE_WRITE);
  }
}

}  // namespace

MemifLink::MemifLink(uint16_t port, bool client, MemifDoor* door) : port_(port), client_(client), door_(door) {
  // A server that is not there is told by link_up(), not by a line for each attempt.
  rte_log_set_level_pattern("pmd.net.memif", RTE_LOG_CRIT);
  InterruptGate::add(*this);
}

MemifLink::~MemifLink() { InterruptGate::remove(*this); }

void MemifLink::start() { started_.store(rte_eth_dev_start(port_) == 0, std::memory_order_relaxed); }

bool MemifLink::attend() {
  if (door_ != nullptr) door_->step();
  const bool up = started() && is_up(port_);
  if (up && !touched_) touch_rings();
  touched_ = up;
  return client_ && !up;
}

int MemifLink::door_fd() const { return door_ == nullptr ? -1 : door_->fd(); }

void MemifLink::maintain(Nanos now) {
  if (!client_) return;
  if (started() && is_up(port_)) {
    retry_at_ = 0;
    return;
  }
  if (retry_at_ == 0) retry_at_ = now + (started() ? kConnectTimeout : kRetryInterval);
  if (now < retry_at_) return;
  rte_eth_dev_stop(port_);
  start();
  retry_at_ = now + (started() ? kConnectTimeout : kRetryInterval);
}

}  // namespace qstack
