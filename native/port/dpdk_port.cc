#include "native/port/dpdk_port.hh"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "native/port/devices.hh"
#include "native/port/eal.hh"
#include "native/port/mbuf.hh"
#include "native/port/memif_door.hh"
#include "native/port/memif_link.hh"
#include "native/port/xdp_log.hh"
#include "native/wire/ethernet.hh"

namespace qstack {

namespace {

constexpr uint16_t kBurst = TapQueue::kFrames;

[[noreturn]] void fail(const std::string& device, const std::string& what, int error) {
  throw std::runtime_error("device \"" + device + "\": " + what + " (" + rte_strerror(error) + ": " +
                           EalLogCapture::text() + ")");
}

/// 0000:03:00.0 and 03:00.0 are places on the PCI bus; everything else is a virtual device.
bool is_pci(const std::string& name) {
  return std::count(name.begin(), name.end(), ':') > 0 &&
         name.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
}

bool is_memif(const std::string& name) { return name.rfind("net_memif", 0) == 0; }

bool is_tap(const std::string& name) { return name.rfind("net_tap", 0) == 0; }

bool is_af_xdp(const std::string& name) { return name.rfind("net_af_xdp", 0) == 0; }

std::string no_receive_queue(const std::string& name) {
  return is_af_xdp(name) ? "no receive queue; does another AF_XDP socket have the interface's first one?"
                         : "no receive queue";
}

/// The driver's own default is client.
bool is_memif_client(const std::string& device) { return device.find("role=server") == std::string::npos; }

/// Makes the device and returns its number.
uint16_t plug(const std::string& bus, const std::string& name, const std::string& arguments) {
  uint16_t port = 0;
  if (!eal_running()) throw std::runtime_error("device \"" + name + "\": DPDK is not started");
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port) == 0) {
    throw std::runtime_error("device \"" + name + "\" is in use in this process: give this one another name or number");
  }
  const int result = rte_eal_hotplug_add(bus.c_str(), name.c_str(), arguments.c_str());
  if (result != 0) fail(name, "no DPDK driver makes it with \"" + arguments + "\"", -result);
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port) != 0) {
    rte_eal_hotplug_remove(bus.c_str(), name.c_str());
    fail(name, "it is not an Ethernet device", ENODEV);
  }
  return port;
}

void unplug(uint16_t port, const std::string& bus, const std::string& name) {
  rte_eth_dev_stop(port);
  rte_eth_dev_close(port);
  rte_eal_hotplug_remove(bus.c_str(), name.c_str());
}

/// The packet of a received mbuf, its frame in one segment; null when it does not fit into one (the mbuf is freed).
Packet* take_frame(rte_mbuf* mbuf) {
  if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) != 0) [[unlikely]] {
    rte_pktmbuf_free(mbuf);
    return nullptr;
  }
  Packet* const packet = packet_of(mbuf);
  reset_packet(packet);
  packet->data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  packet->length = mbuf->data_len;
  return packet;
}

rte_mbuf* give_frame(Packet* packet) {
  rte_mbuf* const mbuf = mbuf_of(packet);
  mbuf->data_off = static_cast<uint16_t>(packet->data - static_cast<uint8_t*>(mbuf->buf_addr));
  mbuf->data_len = packet->length;
  mbuf->pkt_len = packet->length;
  return mbuf;
}

}  // namespace

DpdkPort::DpdkPort(const DpdkPortOptions& options, DpdkPool& rx) : mac_(options.mac), mtu_(options.mtu) {
  const EalLogCapture capture;
  const std::string door = memif_door_path(options.device);
  const std::string device = memif_behind_door(options.device);
  const size_t comma = device.find(',');
  name_ = device.substr(0, comma);
  bus_ = is_pci(name_) ? "pci" : "vdev";
  if (is_af_xdp(name_)) capture_xdp_log();
  if (!door.empty()) door_ = std::make_unique<MemifDoor>(door);
  port_ = plug(bus_, name_, comma == std::string::npos ? "" : device.substr(comma + 1));
  try {
    configure(options, rx);
    start(options);
  } catch (...) {
    close();
    throw;
  }
}

DpdkPort::~DpdkPort() { close(); }

void DpdkPort::configure(const DpdkPortOptions& options, DpdkPool& rx) {
  rte_eth_dev_info info{};
  int result = rte_eth_dev_info_get(port_, &info);
  if (result != 0) fail(name_, "it tells nothing about itself", -result);
  rte_eth_conf conf{};
  conf.rxmode.mtu = std::clamp(options.mtu, std::max<uint16_t>(info.min_mtu, 68), info.max_mtu);
  mtu_ = static_cast<uint16_t>(std::min<uint32_t>(options.mtu, conf.rxmode.mtu));
  result = rte_eth_dev_configure(port_, 1, 1, &conf);
  if (result != 0) fail(name_, "it refuses its configuration", -result);
  uint16_t rx_size = options.ring_size;
  uint16_t tx_size = options.ring_size;
  result = rte_eth_dev_adjust_nb_rx_tx_desc(port_, &rx_size, &tx_size);
  if (result != 0) fail(name_, "it refuses the ring size", -result);
  result = rte_eth_rx_queue_setup(port_, 0, rx_size, SOCKET_ID_ANY, nullptr, rx.mempool());
  if (result != 0) fail(name_, no_receive_queue(name_), -result);
  result = rte_eth_tx_queue_setup(port_, 0, tx_size, SOCKET_ID_ANY, nullptr);
  if (result != 0) fail(name_, "no transmit queue", -result);
}

void DpdkPort::start(const DpdkPortOptions& options) {
  if (is_memif(name_)) {
    start_memif(is_memif_client(options.device));
  } else if (const int result = rte_eth_dev_start(port_); result != 0) {
    fail(name_, "it does not start", -result);
  }
  if (is_tap(name_)) start_tap();
  rte_ether_addr address;
  if (options.mac == MacAddress{}) {
    if (rte_eth_macaddr_get(port_, &address) == 0) mac_ = load_mac(address.addr_bytes);
    return;
  }
  store_mac(address.addr_bytes, options.mac);
  if (bus_ == "pci") {
    const int result = rte_eth_dev_default_mac_addr_set(port_, &address);
    if (result != 0) fail(name_, "it does not take the MAC", -result);
    return;
  }
  // A virtual device shows us the frames of all stations, or is asked to; a kernel's device keeps its own MAC.
  rte_eth_promiscuous_enable(port_);
}

void DpdkPort::start_tap() {
  tap_.take_over();
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(port_, &info) == 0) tap_queue_ = TapQueue::open(info.if_index);
  if (tap_queue_ != nullptr) tap_readable_ = tap_queue_->readable();
}

void DpdkPort::start_memif(bool client) {
  memif_ = std::make_unique<MemifLink>(port_, client, door_.get());
  const InterruptGate::Hold hold;
  memif_->start();
  if (!client && !memif_->started()) fail(name_, "it does not start", EIO);
}

/// A memif device is closed while nothing happens to its connection.
void DpdkPort::close() {
  tap_queue_.reset();
  if (memif_ == nullptr) {
    unplug(port_, bus_, name_);
    return;
  }
  const InterruptGate::Hold hold;
  unplug(port_, bus_, name_);
  memif_.reset();
}

uint32_t DpdkPort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  if (memif_ == nullptr) return receive(out, n, now);
  if (!memif_->enter()) return 0;
  const uint32_t count = memif_->started() ? receive(out, n, now) : 0;
  memif_->leave();
  return count;
}

uint32_t DpdkPort::tx_burst(Packet** packets, uint32_t n, Nanos) {
  if (memif_ == nullptr) return transmit(packets, n);
  if (!memif_->enter()) return 0;
  const uint32_t count = memif_->started() ? transmit(packets, n) : 0;
  memif_->leave();
  return count;
}

uint32_t DpdkPort::receive(Packet** out, uint32_t n, Nanos now) {
  std::array<rte_mbuf*, kBurst> mbufs;
  tap_.look();
  const uint16_t received =
      rte_eth_rx_burst(port_, 0, mbufs.data(), static_cast<uint16_t>(std::min<uint32_t>(n, kBurst)));
  const Stamp stamp = to_stamp(now);
  uint32_t count = 0;
  for (uint16_t i = 0; i < received; ++i) {
    if (i + 4 < received) __builtin_prefetch(packet_of(mbufs[i + 4]), 1);
    Packet* const packet = take_frame(mbufs[i]);
    if (packet == nullptr) {
      ++oversize_;
      continue;
    }
    packet->arrival = arrival_++;
    packet->rx_stamp = stamp;
    out[count++] = packet;
  }
  return count;
}

uint32_t DpdkPort::transmit(Packet** packets, uint32_t n) {
  std::array<rte_mbuf*, kBurst> mbufs;
  uint32_t total = 0;
  while (total < n) {
    const auto count = static_cast<uint16_t>(std::min<uint32_t>(n - total, kBurst));
    for (uint16_t i = 0; i < count; ++i) mbufs[i] = give_frame(packets[total + i]);
    const uint16_t sent = send(mbufs.data(), count);
    total += sent;
    if (sent < count) break;
  }
  return total;
}

uint16_t DpdkPort::send(rte_mbuf** mbufs, uint16_t count) {
  if (tap_queue_ == nullptr) return rte_eth_tx_burst(port_, 0, mbufs, count);
  if (!tap_queue_->transmit(mbufs, count)) tap_queue_.reset();
  return count;
}

bool DpdkPort::link_up() {
  if (memif_ != nullptr && !memif_->started()) return false;
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

int DpdkPort::wake_fd() const {
  return door_ == nullptr ? tap_readable_.get() : door_->bell().fd();
}

void DpdkPort::arm() {
  if (door_ != nullptr) door_->bell().arm();
}

void DpdkPort::disarm() {
  if (door_ != nullptr) door_->bell().disarm();
}

DpdkPortStats DpdkPort::stats() const {
  rte_eth_stats stats{};
  rte_eth_stats_get(port_, &stats);
  return {.rx_missed = stats.imissed,
          .rx_errors = stats.ierrors,
          .rx_no_packet = stats.rx_nombuf,
          .rx_oversize = oversize_,
          .tx_errors = stats.oerrors + (tap_queue_ == nullptr ? 0 : tap_queue_->errors())};
}

}  // namespace qstack
