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

bool is_af_packet(const std::string& name) { return name.rfind("net_af_packet", 0) == 0; }

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

uint32_t receive_frames(uint16_t port, uint16_t queue, Packet** out, uint32_t n, Nanos now, uint32_t& arrival, uint64_t& oversize) {
  std::array<rte_mbuf*, kBurst> mbufs;
  const uint16_t received =
      rte_eth_rx_burst(port, queue, mbufs.data(), static_cast<uint16_t>(std::min<uint32_t>(n, kBurst)));
  const Stamp stamp = to_stamp(now);
  uint32_t count = 0;
  for (uint16_t i = 0; i < received; ++i) {
    if (i + 4 < received) __builtin_prefetch(packet_of(mbufs[i + 4]), 1);
    Packet* const packet = take_frame(mbufs[i]);
    if (packet == nullptr) {
      ++oversize;
      continue;
    }
    packet->arrival = arrival++;
    packet->rx_stamp = stamp;
    out[count++] = packet;
  }
  return count;
}

template <typename Send>
uint32_t transmit_frames(Packet** packets, uint32_t n, Send&& send) {
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

/// Of TCP alone: what has no ports comes to the first queue, or is steered on.
constexpr uint64_t kRssOfTcp = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;

bool takes_rss(const rte_eth_dev_info& info) {
  const bool key_fits = info.hash_key_size == 0 || info.hash_key_size == sizeof(RssConfig::key);  // 0: it does not say
  return (info.flow_type_rss_offloads & kRssOfTcp) != 0 && info.reta_size != 0 && key_fits;
}

/// memif's sender chooses a queue, a tap's kernel one by its memory of who sent last; and both are polled by one thread (memif_link.hh,
/// tap_signal.hh).
uint16_t queues_of(const std::string& name, const rte_eth_dev_info& info, size_t wanted) {
  const bool enough = std::min(info.max_rx_queues, info.max_tx_queues) >= wanted;
  return enough && !is_memif(name) && !is_tap(name) ? static_cast<uint16_t>(wanted) : uint16_t{1};
}

}  // namespace

DpdkPort::DpdkPort(const DpdkPortOptions& options, const std::vector<DpdkPool*>& rx) : mac_(options.mac), mtu_(options.mtu) {
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

void DpdkPort::configure(const DpdkPortOptions& options, const std::vector<DpdkPool*>& rx) {
  rte_eth_dev_info info{};
  int result = rte_eth_dev_info_get(port_, &info);
  if (result != 0) fail(name_, "it tells nothing about itself", -result);
  const uint16_t queues = queues_of(name_, info, rx.size());
  if (is_af_packet(name_) && info.max_rx_queues != queues) {
    const std::string count = std::to_string(info.max_rx_queues);
    fail(name_, "its kernel spreads frames over " + count + " queues (qpairs): stack_thread = " + count + ", without fault and mirror, takes them all", EINVAL);
  }
  rte_eth_conf conf{};
  conf.rxmode.mtu = std::clamp(options.mtu, std::max<uint16_t>(info.min_mtu, 68), info.max_mtu);
  mtu_ = static_cast<uint16_t>(std::min<uint32_t>(options.mtu, conf.rxmode.mtu));
  if (queues > 1 && options.rss && takes_rss(info)) rss_ = options.rss;
  if (rss_) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf = rss_conf(info);
  }
  result = rte_eth_dev_configure(port_, queues, queues, &conf);
  if (result != 0) fail(name_, "it refuses its configuration", -result);
  uint16_t rx_size = options.ring_size;
  uint16_t tx_size = options.ring_size;
  result = rte_eth_dev_adjust_nb_rx_tx_desc(port_, &rx_size, &tx_size);
  if (result != 0) fail(name_, "it refuses the ring size", -result);
  for (uint16_t queue = 0; queue < queues; ++queue) {
    result = rte_eth_rx_queue_setup(port_, queue, rx_size, SOCKET_ID_ANY, nullptr, rx[queue]->mempool());
    if (result != 0) fail(name_, no_receive_queue(name_), -result);
    result = rte_eth_tx_queue_setup(port_, queue, tx_size, SOCKET_ID_ANY, nullptr);
    if (result != 0) fail(name_, "no transmit queue", -result);
    if (queue > 0) further_.emplace_back(*this, port_, queue);
  }
}

/// A driver may read the key as late as when it starts: it lies in this port.
rte_eth_rss_conf DpdkPort::rss_conf(const rte_eth_dev_info& info) {
  return {rss_->key.data(), sizeof(rss_->key), info.flow_type_rss_offloads & kRssOfTcp};
}

/// Most drivers have taken the key with the configuration. A table longer than ours repeats it; the device takes the hash's lowest bits,
/// as we do.
void DpdkPort::write_rss() {
  rte_eth_dev_info info{};
  rte_eth_dev_info_get(port_, &info);
  rte_eth_rss_conf conf = rss_conf(info);
  int result = rte_eth_dev_rss_hash_update(port_, &conf);
  if (result != 0 && result != -ENOTSUP) fail(name_, "it refuses the key of RSS", -result);
  std::vector<rte_eth_rss_reta_entry64> parts((info.reta_size + RTE_ETH_RETA_GROUP_SIZE - 1) / RTE_ETH_RETA_GROUP_SIZE);
  for (uint32_t i = 0; i < info.reta_size; ++i) {
    rte_eth_rss_reta_entry64& part = parts[i / RTE_ETH_RETA_GROUP_SIZE];
    part.mask |= uint64_t{1} << (i % RTE_ETH_RETA_GROUP_SIZE);
    part.reta[i % RTE_ETH_RETA_GROUP_SIZE] = rss_->table[i % rss_->table.size()];
  }
  result = rte_eth_dev_rss_reta_update(port_, parts.data(), info.reta_size);
  if (result != 0) fail(name_, "it refuses the table of RSS", -result);
}

void DpdkPort::start(const DpdkPortOptions& options) {
  if (is_memif(name_)) {
    start_memif(is_memif_client(options.device));
  } else if (const int result = rte_eth_dev_start(port_); result != 0) {
    fail(name_, "it does not start", -result);
  }
  if (rss_) write_rss();
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
  tap_.look();
  return receive_frames(port_, 0, out, n, now, arrival_, oversize_);
}

uint32_t DpdkPort::transmit(Packet** packets, uint32_t n) {
  return transmit_frames(packets, n, [this](rte_mbuf** mbufs, uint16_t count) { return send(mbufs, count); });
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

std::vector<Port*> DpdkPort::queues() {
  std::vector<Port*> all{this};
  for (DpdkQueue& queue : further_) all.push_back(&queue);
  return all;
}

uint32_t DpdkQueue::rx_burst(Packet** out, uint32_t n, Nanos now) {
  return receive_frames(port_, queue_, out, n, now, arrival_, oversize_);
}

uint32_t DpdkQueue::tx_burst(Packet** packets, uint32_t n, Nanos) {
  const auto send = [this](rte_mbuf** mbufs, uint16_t count) { return rte_eth_tx_burst(port_, queue_, mbufs, count); };
  return transmit_frames(packets, n, send);
}

MacAddress DpdkQueue::mac() const { return device_.mac(); }

uint16_t DpdkQueue::mtu() const { return device_.mtu(); }

bool DpdkQueue::link_up() { return device_.link_up(); }

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
  uint64_t oversize = oversize_;
  for (const DpdkQueue& queue : further_) oversize += queue.oversize();
  return {.rx_missed = stats.imissed,
          .rx_errors = stats.ierrors,
          .rx_no_packet = stats.rx_nombuf,
          .rx_oversize = oversize,
          .tx_errors = stats.oerrors + (tap_queue_ == nullptr ? 0 : tap_queue_->errors())};
}

}  // namespace qstack
