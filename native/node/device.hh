// Device: the packet pools of one server's stacks and the ports that use them, made from one description.
//
//   stack 0 ── (SteeringPort, of several stacks) ── (MirrorPort) ── (FaultPort) ── the device
//   stack k ── SteeredPort
//   or, on a device with a queue for each of them:     stack k ── QueuePort ── queue k
//
// In: a device string, or one end of a pair inside the process, and the memory for the packets. Out: for each stack a Port
// with its two pools. Forms of the string: "memif:PATH?role=server", "tap:NAME", "af_packet:INTERFACE",
// "af_xdp:INTERFACE", "pcap:INTERFACE", "pcap:rx=FILE,tx=FILE"; anything else is passed to DPDK as it is. Made and destroyed by a control thread, with nobody polling. The ends of a pair are freed together
// (ring_wires.hh).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "native/node/options.hh"
#include "native/port/fault_lane.hh"
#include "native/port/port.hh"
#include "native/steer/flow_steering.hh"
#include "native/steer/steerer.hh"

namespace qstack::node {

struct DeviceConfig {
  std::string device;
  std::string ring;  ///< name of the pair; empty: `device` counts
  uint32_t ring_side = 0;
  MacAddress mac{};
  uint16_t mtu = 1500;
  uint16_t descriptors = 0;
  uint32_t stacks = 1;
  uint32_t rx_packets = 0;  ///< of each stack
  uint32_t tx_packets = 0;  ///< of each stack
  bool faults = false;
  uint64_t fault_seed = 0;
  FaultConfig fault_rx, fault_tx;
  std::string mirror;  ///< a device, too, that gets the first `mirror_snap` bytes of each frame; empty: none
  uint32_t mirror_snap = 0;
};

/// Reads `device`, `descriptors`, `fault`, `mirror`, `mac`, `mtu`, `stacks`, `rxPackets`, `txPackets`; `address` gives the MAC
/// its default.
DeviceConfig read_device(const OptionReader& options, uint32_t address);

class Device {
 public:
  /// Bytes of memory that the packets need.
  static uint64_t bytes(const DeviceConfig& config);
  /// `memory` has bytes(config) bytes; it and `steering`, which several stacks need, outlive the device.
  static std::unique_ptr<Device> make(const DeviceConfig& config, uint8_t* memory,
                                      const FlowSteering* steering = nullptr);
  virtual ~Device() = default;

  virtual Port& port(uint32_t stack = 0) = 0;
  virtual PacketPool& rx(uint32_t stack = 0) = 0;
  virtual PacketPool& tx(uint32_t stack = 0) = 0;
  /// Of several stacks: what gives others their frames. Null: this one polls for itself alone.
  virtual Steerer* steerer(uint32_t stack) = 0;

  // In the first stack's thread.

  virtual std::map<std::string, uint64_t> stats() = 0;
  /// Counts of the fault port; empty without one.
  virtual std::map<std::string, uint64_t> faults() = 0;

  const PacketRegion& region() const { return region_; }

 protected:
  PacketRegion region_;
};

}  // namespace qstack::node
