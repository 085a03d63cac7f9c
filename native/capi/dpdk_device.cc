// Devices of DPDK. The first one starts EAL, once for the whole process.
#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "native/capi/device.hh"
#include "native/mempool/mapping.hh"
#include "native/port/devices.hh"
#include "native/port/dpdk_port.hh"
#include "native/port/eal.hh"

namespace qstack::capi {

namespace {

/// DPDK wants a name for each device of the process.
uint32_t next_number() {
  static std::atomic<uint32_t> number{0};
  return number++;
}

void need_eal() {
  static std::mutex mutex;
  const std::lock_guard guard(mutex);
  if (!eal_running()) start_eal({});
}

class DpdkDevice final : public Device {
 public:
  explicit DpdkDevice(const InstanceConfig& config) {
    need_eal();
    const uint32_t number = next_number();
    const std::string name = "qst_capi" + std::to_string(number);
    const uint32_t count = config.rx_packets + config.tx_packets;
    memory_ = Mapping(size_t{count} * dpdk_region(nullptr, count, extra_room(config.device)).stride);
    const PacketRegion region = dpdk_region(memory_.data(), count, extra_room(config.device));
    rx_.emplace(name + "rx", region, 0, config.rx_packets);
    tx_.emplace(name + "tx", region, config.rx_packets, config.tx_packets);
    DpdkPortOptions options{.device = dpdk_device(config.device, number, config.stack.ip.mac),
                            .mac = config.stack.ip.mac,
                            .mtu = config.stack.ip.mtu};
    options.ring_size = usual_ring_size(options.device);
    port_.emplace(options, *rx_);
  }
  Port& port() override { return *port_; }
  PacketPool& rx() override { return *rx_; }
  PacketPool& tx() override { return *tx_; }

 private:
  Mapping memory_;
  std::optional<DpdkPool> rx_, tx_;
  std::optional<DpdkPort> port_;
};

}  // namespace

std::unique_ptr<Device> make_dpdk_device(const InstanceConfig& config) { return std::make_unique<DpdkDevice>(config); }

}  // namespace qstack::capi
