// DpdkPort: a DPDK device as a Port: one RX queue, one TX queue, frames in one segment.
//
// In: a device string as DPDK writes it ("net_memif0,role=server,…", "net_tap0,iface=q0", "0000:03:00.0"); devices.hh
// makes the usual ones. Out: frames in packets of `rx`. Invariant: the device exists as long as the port does.
// Made and destroyed by the control thread, with the polling thread not running. A memif client connects when its
// server comes, and again after it went. Verified with memif, tap, af_packet, af_xdp, pcap, ring and null devices; a physical NIC is
// not.
#pragma once

#include <memory>
#include <string>

#include "native/port/dpdk_pool.hh"
#include "native/port/port.hh"
#include "native/port/tap_queue.hh"
#include "native/port/tap_signal.hh"

namespace qstack {

struct DpdkPortOptions {
  std::string device;  ///< name, then arguments, separated by commas
  MacAddress mac{};    ///< what the stack answers to; a PCI device is told, others take every frame
  uint16_t mtu = 1500;
  uint16_t ring_size = 1024;  ///< descriptors per queue, bounded by what the device takes
};

struct DpdkPortStats {
  uint64_t rx_missed = 0;  ///< the device had no room
  uint64_t rx_errors = 0;
  uint64_t rx_no_packet = 0;  ///< the pool was empty
  uint64_t rx_oversize = 0;   ///< in several segments, and longer than one packet holds
  uint64_t tx_errors = 0;
};

class MemifDoor;
class MemifLink;

class DpdkPort final : public Port {
 public:
  /// Throws std::runtime_error when the device is unknown or cannot be made; a memif server that is not there yet is no
  /// error. The pool outlives the port.
  DpdkPort(const DpdkPortOptions& options, DpdkPool& rx);
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

 private:
  void configure(const DpdkPortOptions& options, DpdkPool& rx);
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
  uint32_t arrival_ = 0;
  uint64_t oversize_ = 0;
};

}  // namespace qstack
