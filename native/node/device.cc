#include "native/node/device.hh"

#include <atomic>
#include <deque>
#include <optional>

#include "native/mempool/heap_pool.hh"
#include "native/mempool/mapping.hh"
#include "native/monitor/source.hh"
#include "native/node/ring_wires.hh"
#include "native/port/devices.hh"
#include "native/port/dpdk_port.hh"
#include "native/port/eal.hh"
#include "native/port/fault_port.hh"
#include "native/port/mirror_port.hh"
#include "native/steer/queue_ports.hh"
#include "native/steer/stack_ports.hh"

namespace qstack::node {

namespace {

constexpr uint32_t kPlainStride = sizeof(Packet) + kHeadroom + kRoom;

/// Devices of this process so far: DPDK wants a name for each.
uint32_t next_number() {
  static std::atomic<uint32_t> number{0};
  return number++;
}

FaultConfig read_rates(const OptionReader& fault, const char* name) {
  FaultConfig config;
  config.delay_us_min = fault.u32("delayMinUs", config.delay_us_min, 0, 10'000'000);
  config.delay_us_max = fault.u32("delayMaxUs", config.delay_us_max, 1, 10'000'000);
  if (!fault.has(name)) return config;
  const OptionReader rates = fault.object(name);
  config.drop = rates.probability("drop");
  config.duplicate = rates.probability("duplicate");
  config.reorder = rates.probability("reorder");
  config.corrupt = rates.probability("corrupt");
  config.delay = rates.probability("delay");
  return config;
}

void add_counts(std::map<std::string, uint64_t>& out, const std::string& way, const FaultCounts& counts) {
  out[way + "_frames"] = counts.frames;
  out[way + "_dropped"] = counts.dropped;
  out[way + "_duplicated"] = counts.duplicated;
  out[way + "_corrupted"] = counts.corrupted;
  out[way + "_reordered"] = counts.reordered;
  out[way + "_delayed"] = counts.delayed;
  out[way + "_spared"] = counts.spared;
}

/// memif copies a record when it is given, so its packet is back at once.
constexpr uint32_t kMirrorPackets = 1'024;

/// Where records go, with packets of its own, and the port that makes them. Last made, first freed: it uses the device's port.
class Mirror {
 public:
  Mirror(const DeviceConfig& config, Port& inside, uint32_t number)
      : memory_(kMirrorPackets * dpdk_region(nullptr, 1).stride),
        pool_("qstack" + std::to_string(number) + "mi", dpdk_region(memory_.data(), kMirrorPackets), 0, kMirrorPackets),
        outlet_(options(config, number), pool_),
        port_(inside, outlet_, pool_, config.mirror_snap, monitor::wall_clock) {}

  MirrorPort& port() { return port_; }
  const MirrorCounts& counts() const { return port_.counts(); }

 private:
  static DpdkPortOptions options(const DeviceConfig& config, uint32_t number) {
    DpdkPortOptions options{.device = dpdk_device(config.mirror, number, config.mac), .mac = config.mac};
    options.ring_size = usual_ring_size(options.device);
    return options;
  }

  Mapping memory_;
  DpdkPool pool_;
  DpdkPort outlet_;
  MirrorPort port_;
};

/// The fault port, when there is one, stands before whatever port the device has; the mirror before both: it tells what the
/// stacks see. The first of several stacks stands before them all, and gives the others theirs.
class WrappedDevice : public Device {
 public:
  Port& port(uint32_t stack) override {
    if (queued_) return queued_->port(stack);
    return steered_ ? steered_->port(stack) : mirrored();
  }
  Steerer* steerer(uint32_t stack) override {
    if (queued_) return queued_->steerer(stack);
    return steered_ ? steered_->steerer(stack) : nullptr;
  }
  std::map<std::string, uint64_t> stats() override {
    std::map<std::string, uint64_t> out = inside_stats();
    if (mirror_) {
      out["mirror_records"] = mirror_->counts().records;
      out["mirror_dropped"] = mirror_->counts().dropped;
    }
    if (steered_ || queued_) {
      const SteerCounts counts = steered_ ? steered_->counts() : queued_->counts(0);  // what this thread has polled
      out["steered"] = counts.steered;
      out["steer_dropped"] = counts.dropped;
      out["steer_forwarded"] = counts.forwarded;
    }
    return out;
  }
  std::map<std::string, uint64_t> faults() override {
    std::map<std::string, uint64_t> counts;
    if (fault_) {
      add_counts(counts, "rx", fault_->received());
      add_counts(counts, "tx", fault_->sent());
    }
    return counts;
  }

 protected:
  virtual Port& inside() = 0;
  /// One for each stack, or none.
  virtual std::vector<Port*> queues() { return {}; }
  virtual std::map<std::string, uint64_t> inside_stats() = 0;
  /// Behind pools and port.
  void add_wrappers(const DeviceConfig& config, const FlowSteering* steering) {
    if (config.faults) fault_.emplace(inside(), rx(0), tx(0), config.fault_seed, config.fault_rx, config.fault_tx);
    if (!config.mirror.empty()) mirror_.emplace(config, faulted(), next_number());
    if (config.stacks == 1) return;
    if (const std::vector<Port*> all = queues(); all.size() == config.stacks) return share_queues(all, *steering);
    std::vector<StackPorts::Pools> pools;
    for (uint32_t stack = 0; stack < config.stacks; ++stack) pools.push_back({&rx(stack), &tx(stack)});
    steered_.emplace(mirrored(), *steering, pools);
  }
  /// Before the pools go: what they hold returns to them.
  void remove_wrappers() {
    queued_.reset();
    steered_.reset();
    mirror_.reset();
    fault_.reset();
  }

 private:
  void share_queues(const std::vector<Port*>& all, const FlowSteering& steering) {
    std::vector<PacketPool*> pools;
    for (uint32_t stack = 0; stack < all.size(); ++stack) pools.push_back(&rx(stack));
    queued_.emplace(all, steering, pools);
  }
  Port& faulted() { return fault_ ? static_cast<Port&>(*fault_) : inside(); }
  Port& mirrored() { return mirror_ ? static_cast<Port&>(mirror_->port()) : faulted(); }

  std::optional<FaultPort> fault_;
  std::optional<Mirror> mirror_;
  std::optional<StackPorts> steered_;
  std::optional<QueuePorts> queued_;
};

/// Packets of all stacks, RX and TX.
uint32_t all_packets(const DeviceConfig& config) { return config.stacks * (config.rx_packets + config.tx_packets); }

class RingDevice final : public WrappedDevice {
 public:
  RingDevice(const DeviceConfig& config, uint8_t* memory, const FlowSteering* steering)
      : wire_(take_ring_end(config.ring, config.ring_side)) {
    region_ = {.base = memory, .stride = kPlainStride, .packet_at = 0, .count = all_packets(config)};
    for (uint32_t stack = 0; stack < config.stacks; ++stack) {
      rx_.emplace_back(region_, stack * config.rx_packets, config.rx_packets);
      tx_.emplace_back(region_, config.stacks * config.rx_packets + stack * config.tx_packets, config.tx_packets);
    }
    port_.emplace(*wire_, config.ring_side, rx_[0], tx_[0], config.mac, config.mtu);
    add_wrappers(config, steering);
  }
  ~RingDevice() override { remove_wrappers(); }

  PacketPool& rx(uint32_t stack) override { return rx_[stack]; }
  PacketPool& tx(uint32_t stack) override { return tx_[stack]; }

 protected:
  Port& inside() override { return *port_; }
  std::map<std::string, uint64_t> inside_stats() override { return {}; }

 private:
  std::shared_ptr<RingWire> wire_;
  std::deque<HeapPool> rx_, tx_;
  std::optional<RingPort> port_;
};

RssConfig rss_of(const FlowSteering& steering) {
  RssConfig rss{.key = steering.key};
  static_assert(std::tuple_size_v<decltype(rss.table)> == FlowGroups::kGroups);
  for (uint32_t group = 0; group < FlowGroups::kGroups; ++group) rss.table[group] = static_cast<uint16_t>(steering.groups.stack_of(group));
  return rss;
}

class DpdkDevice final : public WrappedDevice {
 public:
  DpdkDevice(const DeviceConfig& config, uint8_t* memory, const FlowSteering* steering) {
    const uint32_t number = next_number();
    region_ = dpdk_region(memory, all_packets(config), extra_room(config.device));
    for (uint32_t stack = 0; stack < config.stacks; ++stack) add_pools(config, number, stack);
    DpdkPortOptions options{.device = dpdk_device(config.device, number, config.mac), .mac = config.mac, .mtu = config.mtu};
    options.ring_size = config.descriptors != 0 ? config.descriptors : usual_ring_size(options.device);
    std::vector<DpdkPool*> pools{&rx_[0]};
    // What stands before the device stands before one queue.
    const bool alone = config.stacks == 1 || config.faults || !config.mirror.empty();
    for (uint32_t stack = 1; stack < config.stacks && !alone; ++stack) pools.push_back(&rx_[stack]);
    if (!alone) options.rss = rss_of(*steering);
    port_.emplace(options, pools);
    add_wrappers(config, steering);
  }
  ~DpdkDevice() override { remove_wrappers(); }

  PacketPool& rx(uint32_t stack) override { return rx_[stack]; }
  PacketPool& tx(uint32_t stack) override { return tx_[stack]; }

 protected:
  Port& inside() override { return *port_; }
  std::vector<Port*> queues() override { return port_->queues(); }
  std::map<std::string, uint64_t> inside_stats() override {
    const DpdkPortStats stats = port_->stats();
    return {{"rx_missed", stats.rx_missed},
            {"rx_errors", stats.rx_errors},
            {"rx_no_packet", stats.rx_no_packet},
            {"rx_oversize", stats.rx_oversize},
            {"tx_errors", stats.tx_errors}};
  }

 private:
  void add_pools(const DeviceConfig& config, uint32_t number, uint32_t stack) {
    const std::string name = "qstack" + std::to_string(number), of = std::to_string(stack);
    const uint32_t first_tx = config.stacks * config.rx_packets;
    rx_.emplace_back(name + "rx" + of, region_, stack * config.rx_packets, config.rx_packets);
    tx_.emplace_back(name + "tx" + of, region_, first_tx + stack * config.tx_packets, config.tx_packets);
  }

  std::deque<DpdkPool> rx_, tx_;
  std::optional<DpdkPort> port_;
};

}  // namespace

DeviceConfig read_device(const OptionReader& options, uint32_t address) {
  DeviceConfig config;
  if (options.value("device").IsObject()) {
    const OptionReader ring = options.object("device");
    config.ring = ring.text("ring", "");
    config.ring_side = static_cast<uint32_t>(ring.required("side", 0, 1));
    if (config.ring.empty()) ring.fail("ring", "a name is expected");
  } else {
    config.device = options.text("device", "");
    if (config.device.empty()) options.fail("device", "a device string or { ring, side } is expected");
  }
  config.mac = options.mac("mac", derive_mac(address));
  config.mtu = options.u16("mtu", 1500, 576, 1500);
  config.descriptors = options.u16("descriptors", 0, 0, 1u << 14);
  config.stacks = options.u32("stacks", 1, 1, abi::kStacksMax);
  config.rx_packets = static_cast<uint32_t>(options.required("rxPackets", 1, 1u << 24));
  config.tx_packets = static_cast<uint32_t>(options.required("txPackets", 1, 1u << 24));
  config.mirror = options.text("mirror", "");
  config.mirror_snap = options.u32("mirrorSnap", 256, 64, kMirrorSnapMax);
  if (!config.mirror.empty() && !config.ring.empty()) options.fail("mirror", "a pair inside the process has none");
  if (!options.has("fault")) return config;
  const OptionReader fault = options.object("fault");
  config.faults = true;
  config.fault_seed = fault.required("seed", 0, (uint64_t{1} << 53) - 1);
  config.fault_rx = read_rates(fault, "rx");
  config.fault_tx = read_rates(fault, "tx");
  return config;
}

uint64_t Device::bytes(const DeviceConfig& config) {
  const uint64_t count = all_packets(config);
  return count * (config.ring.empty() ? dpdk_region(nullptr, 1, extra_room(config.device)).stride : kPlainStride);
}

std::unique_ptr<Device> Device::make(const DeviceConfig& config, uint8_t* memory, const FlowSteering* steering) {
  if (!config.ring.empty()) return std::make_unique<RingDevice>(config, memory, steering);
  if (!eal_running()) throw CodedError("QST_ERR_EAL", "createStack: a device needs startEal first");
  return std::make_unique<DpdkDevice>(config, memory, steering);
}

}  // namespace qstack::node
