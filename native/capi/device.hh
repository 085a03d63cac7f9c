// Device: the packets of one stack and the port that they come and go through.
//
// Three kinds: frames carried by the program (netdev), the end of a pair in memory, a device of DPDK.
#pragma once

#include <memory>

#include "native/capi/config.hh"
#include "native/capi/netdev_port.hh"

namespace qstack::capi {

class Device {
 public:
  virtual ~Device() = default;
  virtual Port& port() = 0;
  virtual PacketPool& rx() = 0;
  virtual PacketPool& tx() = 0;
  /// Null where the program does not carry the frames.
  virtual NetdevPort* netdev() { return nullptr; }
};

/// By `config.device`; throws std::runtime_error with a sentence where there is no such device.
std::unique_ptr<Device> make_device(const InstanceConfig& config);

/// Two ends of one wire, for two threads; their memory goes when both are gone.
void make_pair(const InstanceConfig& first, const InstanceConfig& second, std::unique_ptr<Device> (&ends)[2]);

// dpdk_device.cc, or no_dpdk_device.cc
std::unique_ptr<Device> make_dpdk_device(const InstanceConfig& config);

}  // namespace qstack::capi
