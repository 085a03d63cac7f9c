#include "native/port/memif_link.hh"

#include <rte_ethdev.h>
#include <rte_log.h>

#include "native/port/memif_door.hh"

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
  return client_ && !(started() && is_up(port_));
}

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
