#include "native/bench/line_end.hh"

#include <random>
#include <stdexcept>

#include "native/port/devices.hh"
#include "native/port/eal.hh"

namespace qstack::bench {

namespace {

std::string memif_string(Arguments& arguments, const MacAddress& mac) {
  MemifOptions options{.socket = arguments.text("socket"), .mac = mac};
  if (arguments.text("role", "client") == "server") options.role = MemifRole::server;
  options.ring_log2 = static_cast<uint8_t>(arguments.number("ring_log2", options.ring_log2));
  prepare_memif_socket(options);
  return memif_device(options);
}

}  // namespace

LineEnd::LineEnd(Arguments& arguments) {
  read_config(arguments);
  const auto rx_packets = static_cast<uint32_t>(arguments.number("rx_packets", 8'192));
  const auto tx_packets = static_cast<uint32_t>(arguments.number("tx_packets", 8'192));
  start_eal({});
  const std::string device = device_string(arguments);
  memory_ = Mapping(size_t{dpdk_region(nullptr, 1).stride} * (rx_packets + tx_packets));
  const PacketRegion region = dpdk_region(memory_.data(), rx_packets + tx_packets);
  rx_.emplace("rx", region, 0, rx_packets);
  tx_.emplace("tx", region, rx_packets, tx_packets);
  DpdkPortOptions options{.device = device, .mac = config_.ip.mac, .mtu = config_.ip.mtu};
  options.ring_size = usual_ring_size(device);
  port_.emplace(options, *rx_);
}

void LineEnd::read_config(Arguments& arguments) {
  config_.ip.address = arguments.address("address");
  config_.ip.prefix_length = static_cast<uint8_t>(arguments.number("prefix", 24));
  config_.ip.mac = derive_mac(config_.ip.address);
  config_.ip.mtu = static_cast<uint16_t>(arguments.number("mtu", 1'500));
  config_.ip.address_count = static_cast<uint32_t>(arguments.number("addresses", 1));
  config_.tcp.connections = static_cast<uint32_t>(arguments.number("connections", 16)) + kSpare;
  config_.tcp.busy = config_.tcp.connections;
  config_.tcp.half_open = static_cast<uint32_t>(arguments.number("half_open", 1'024));
  config_.tcp.time_wait = static_cast<uint32_t>(arguments.number("time_wait", 1'024));
  config_.tcp.time_wait_ms = static_cast<uint32_t>(arguments.number("time_wait_ms", config_.tcp.time_wait_ms));
  config_.tcp.send_buffer = static_cast<uint32_t>(arguments.number("send_buffer", config_.tcp.send_buffer));
  config_.tcp.receive_buffer = static_cast<uint32_t>(arguments.number("receive_buffer", config_.tcp.receive_buffer));
  std::random_device random;
  for (uint64_t& word : config_.tcp.secret) word = uint64_t{random()} << 32 | random();
}

std::string LineEnd::device_string(Arguments& arguments) const {
  const std::string kind = arguments.text("device");
  if (kind == "memif") return memif_string(arguments, config_.ip.mac);
  if (kind == "tap") return tap_device(0, arguments.text("interface"));
  if (kind == "af_packet") return af_packet_device(0, arguments.text("interface"));
  throw std::invalid_argument("device=" + kind + ": memif, tap or af_packet is expected");
}

}  // namespace qstack::bench
