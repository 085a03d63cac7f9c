#include "native/capi/device.hh"

#include <optional>

#include "native/mempool/heap_pool.hh"
#include "native/port/ring_port.hh"

namespace qstack::capi {

namespace {

/// Packets in plain memory.
struct Pools {
  explicit Pools(const InstanceConfig& config)
      : region(config.rx_packets + config.tx_packets),
        rx(region.region(), 0, config.rx_packets),
        tx(region.region(), config.rx_packets, config.tx_packets) {}
  HeapRegion region;
  HeapPool rx, tx;
};

class NetdevDevice final : public Device {
 public:
  explicit NetdevDevice(const InstanceConfig& config)
      : pools_(config), port_(pools_.rx, pools_.tx, config.stack.ip.mac, config.stack.ip.mtu, config.ip_layer) {}
  Port& port() override { return port_; }
  PacketPool& rx() override { return pools_.rx; }
  PacketPool& tx() override { return pools_.tx; }
  NetdevPort* netdev() override { return &port_; }

 private:
  Pools pools_;
  NetdevPort port_;
};

/// Each end reads the packets of the other, so both live until neither is used.
struct Pair {
  Pair(const InstanceConfig& first, const InstanceConfig& second)
      : pools{Pools(first), Pools(second)}, ports{} {
    for (uint32_t end = 0; end < 2; ++end) {
      const IpConfig& ip = (end == 0 ? first : second).stack.ip;
      ports[end].emplace(wire, end, pools[end].rx, pools[end].tx, ip.mac, ip.mtu);
    }
  }
  RingWire wire;
  Pools pools[2];
  std::optional<RingPort> ports[2];
};

class PairDevice final : public Device {
 public:
  PairDevice(std::shared_ptr<Pair> pair, uint32_t end) : pair_(std::move(pair)), end_(end) {}
  Port& port() override { return *pair_->ports[end_]; }
  PacketPool& rx() override { return pair_->pools[end_].rx; }
  PacketPool& tx() override { return pair_->pools[end_].tx; }

 private:
  std::shared_ptr<Pair> pair_;
  uint32_t end_;
};

}  // namespace

std::unique_ptr<Device> make_device(const InstanceConfig& config) {
  if (config.device.empty()) return std::make_unique<NetdevDevice>(config);
  return make_dpdk_device(config);
}

void make_pair(const InstanceConfig& first, const InstanceConfig& second, std::unique_ptr<Device> (&ends)[2]) {
  const auto pair = std::make_shared<Pair>(first, second);
  ends[0] = std::make_unique<PairDevice>(pair, 0);
  ends[1] = std::make_unique<PairDevice>(pair, 1);
}

}  // namespace qstack::capi
