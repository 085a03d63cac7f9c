#include "native/port/fault_port.hh"

#include <algorithm>
#include <array>

namespace qstack {

namespace {

constexpr uint32_t kBurst = 64;
/// Frames that may be inside one direction: beyond that the lane takes no more, as a full device would.
constexpr size_t kInsideMax = 4096;
/// Tells the two directions' streams of numbers apart.
constexpr uint64_t kSendStream = 0x5eed;

}  // namespace

FaultPort::FaultPort(Port& inside, PacketPool& rx, PacketPool& tx, uint64_t seed, const FaultConfig& receive,
                     const FaultConfig& send)
    : inside_(inside), receive_(receive, seed, rx, false), send_(send, ~seed ^ kSendStream, tx, true) {}

uint32_t FaultPort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  send_.advance(now);
  transmit_ready(now);
  receive_.advance(now);
  std::array<Packet*, kBurst> burst;
  if (receive_.size() < kInsideMax) {
    const uint32_t count = inside_.rx_burst(burst.data(), std::min(n, kBurst), now);
    for (uint32_t i = 0; i < count; ++i) receive_.put(burst[i], now);
  }
  auto& ready = receive_.ready();
  uint32_t count = 0;
  while (count < n && !ready.empty()) {
    out[count++] = ready.front();
    ready.pop_front();
  }
  return count;
}

uint32_t FaultPort::tx_burst(Packet** packets, uint32_t n, Nanos now) {
  send_.advance(now);
  transmit_ready(now);
  if (!send_.ready().empty()) return 0;  // the device takes no more now
  uint32_t count = 0;
  while (count < n && send_.size() < kInsideMax) send_.put(packets[count++], now);
  transmit_ready(now);
  return count;
}

void FaultPort::transmit_ready(Nanos now) {
  auto& ready = send_.ready();
  std::array<Packet*, kBurst> burst;
  while (!ready.empty()) {
    const auto count = static_cast<uint32_t>(std::min<size_t>(ready.size(), kBurst));
    std::copy_n(ready.begin(), count, burst.begin());
    const uint32_t taken = inside_.tx_burst(burst.data(), count, now);
    ready.erase(ready.begin(), ready.begin() + taken);
    if (taken < count) return;
  }
}

}  // namespace qstack
