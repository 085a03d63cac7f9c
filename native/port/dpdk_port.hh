// DpdkPort: a DPDK device as a Port: one RX queue, one TX queue, frames in one segment. For several stacks, where the device has as many
// queues, further ones as ports of their own; RSS brings flows to them where the device can be given our key and table.
//
// In: a device string as DPDK writes it ("net_memif0,role=server,…", "net_tap0,iface=q0", "0000:03:00.0"); devices.hh
// makes the usual ones. Out: frames in packets of `rx`. Invariant: the device exists as long as the port does.
// Made and destroyed by the control thread, with the polling thread not running. A memif client connects when its
// server comes, and again after it went. Verified with memif, tap, af_packet, af_xdp, pcap, ring and null devices; a physical NIC is
// not.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "native/port/dpdk_pool.hh"
#include "native/port/port.hh"
#include "native/port/tap_queue.hh"
#include "native/port/tap_signal.hh"

struct rte_eth_dev_info;
struct rte_eth_rss_conf;

namespace qstack {

/// What a device with several queues is told: which frames of TCP come to which of them.
struct RssConfig {
  std::array<uint8_t, 40> key{};
  std::array<uint16_t, 128> table{};  ///< the hash's lowest bits → queue
};

struct DpdkPortOptions {
  std::string device;  ///< name, then arguments, separated by commas
  MacAddress mac{};    ///< what the stack answers to; a PCI device is told, others take every frame
  uint16_t mtu = 1500;
  uint16_t ring_size = 1024;  ///< descriptors per queue, bounded by what the device takes
  std::optional<RssConfig> rss = {};
};

struct DpdkPortStats {
  uint64_t rx_missed = 0;  ///< the device had no room
  uint64_t rx_errors = 0;
  uint64_t rx_no_packet = 0;  ///< the pool was empty
  uint64_t rx_oversize = 0;   ///< in several segments, and longer than one packet holds
  uint64_t tx_errors = 0;
};

class DpdkPort;
class MemifDoor;
class MemifLink;

/// A further queue of a device, of each direction, for a thread of its own. Made, freed and maintained by its DpdkPort.
class DpdkQueue final : public Port {
 public:
  DpdkQueue(DpdkPort& device, uint16_t port, uint16_t queue) : device_(device), port_(port), queue_(queue) {}

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override;
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override;
  MacAddress mac() const override;
  uint16_t mtu() const override;
  bool link_up() override;

  uint64_t oversize() const { return oversize_; }

 private:
  DpdkPort& device_;
  uint16_t port_;
  uint16_t queue_;
  uint32_t arrival_ = 0;
  uint64_t oversize_ = 0;
};

class DpdkPort final : public Port {
 public:
  /// Throws std::runtime_error when the device is unknown or cannot be made; a memif server that is not there yet is no
  /// error. The pool outlives the port.
  DpdkPort(const DpdkPortOptions& options, DpdkPool& rx) : DpdkPort(options, {&rx}) {}
  /// A queue for each pool, where the device has as many, else one. RSS is set up where it can be.
  DpdkPort(const DpdkPortOptions& options, const std::vector<DpdkPool*>& rx);
  ~DpdkPort() override;
  DpdkPort(const DpdkPort&) = delete;
  DpdkPort& operator=(const DpdkPort&) = delete;

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override;
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override;
  MacAddress mac() const override { return mac_; }
  uint16_t mtu() const override { return mtu_; }
  /// memif: whether the peer is there.
  bool link_up() override;
  /// memif's server wakes, and tap.
  int wake_fd() const override;
  void arm() override;
  void disarm() override;

  DpdkPortStats stats() const;
  /// This port first; alone where there is one queue.
  std::vector<Port*> queues();
  /// Flows come to queues by the key and the table that were given.
  bool has_rss() const { return rss_.has_value(); }

 private:
  void configure(const DpdkPortOptions& options, const std::vector<DpdkPool*>& rx);
  void write_rss();
  rte_eth_rss_conf rss_conf(const rte_eth_dev_info& info);
  void start(const DpdkPortOptions& options);
  void start_memif(bool client);
  void start_tap();
  void close();
  uint32_t receive(Packet** out, uint32_t n, Nanos now);
  uint32_t transmit(Packet** packets, uint32_t n);
  uint16_t send(rte_mbuf** mbufs, uint16_t count);

  std::string bus_;
  std::string name_;
  MacAddress mac_;
  uint16_t mtu_;
  uint16_t port_ = 0;
  std::unique_ptr<MemifDoor> door_;   ///< of a memif server
  std::unique_ptr<MemifLink> memif_;  ///< null for other devices
  TapSignal tap_;                        ///< does nothing for other devices
  std::unique_ptr<TapQueue> tap_queue_;  ///< null for other devices, and where the kernel gives none
  Descriptor tap_readable_;
  std::deque<DpdkQueue> further_;
  std::optional<RssConfig> rss_;  ///< in force
  uint32_t arrival_ = 0;
  uint64_t oversize_ = 0;
};

}  // namespace qstack
