#include "native/capi/config.hh"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "native/capi/address.hh"
#include "native/port/devices.hh"
#include "native/wire/mix.hh"

namespace qstack::capi {

namespace {

/// `value`, or with 0 the default.
uint32_t number(const char* name, uint32_t value, uint32_t fallback, uint32_t min, uint32_t max) {
  if (value == 0) return fallback;
  if (value >= min && value <= max) return value;
  throw std::invalid_argument(std::string(name) + ": " + std::to_string(value) + ", but " + std::to_string(min) + " to " +
                              std::to_string(max) + " is expected");
}

std::array<uint64_t, 4> secret_of(uint64_t seed) {
  std::array<uint64_t, 4> secret;
  if (seed == 0) {
    if (getrandom(secret.data(), sizeof(secret), 0) == static_cast<ssize_t>(sizeof(secret))) return secret;
    throw std::system_error(errno, std::generic_category(), "the kernel gives no random numbers");
  }
  for (uint64_t i = 0; i < secret.size(); ++i) {
    secret[i] = mix_product(seed ^ (0x9e37'79b9'7f4a'7c15 * (i + 1)), 0xd6e8'feb8'6659'fd93);
  }
  return secret;
}

Congestion congestion_of(const char* name) {
  if (name == nullptr || std::strcmp(name, "cubic") == 0) return Congestion::cubic;
  if (std::strcmp(name, "newreno") == 0 || std::strcmp(name, "reno") == 0) return Congestion::newreno;
  if (std::strcmp(name, "dctcp") == 0) return Congestion::dctcp;
  throw std::invalid_argument("congestion: \"" + std::string(name) + "\", but cubic, newreno or dctcp is expected");
}

void read_addresses(const qst_config& config, IpConfig& ip) {
  if (config.ipv4 == nullptr && config.ipv6 == nullptr) {
    throw std::invalid_argument("ipv4 or ipv6: the stack needs an address of its own, like 10.0.0.1/24");
  }
  if (config.ipv4 != nullptr) {
    const Network network = parse_network(config.ipv4, false, "ipv4");
    ip.address = network.address.ipv4();
    ip.prefix_length = network.prefix_length;
    if (ip.address == 0) throw std::invalid_argument("ipv4: 0.0.0.0 is no address of a host");
  }
  if (config.ipv4_gateway != nullptr) ip.gateway = parse_address(config.ipv4_gateway, false, "ipv4_gateway").ipv4();
  if (config.ipv6 != nullptr) {
    const Network network = parse_network(config.ipv6, true, "ipv6");
    ip.ipv6.address = network.address;
    ip.ipv6.prefix_length = network.prefix_length;
    if (!ip.ipv6.enabled() || network.address.is_ipv4() || network.address.multicast()) {
      throw std::invalid_argument("ipv6: \"" + std::string(config.ipv6) + "\" is no address of a host");
    }
  }
  if (config.ipv6_gateway != nullptr) ip.ipv6.gateway = parse_address(config.ipv6_gateway, true, "ipv6_gateway");
}

void read_neighbors(const qst_config& config, IpConfig& ip) {
  if (config.neighbors == nullptr && config.neighbor_count != 0) throw std::invalid_argument("neighbors: NULL, but neighbor_count is not 0");
  for (size_t i = 0; i < config.neighbor_count; ++i) {
    const qst_neighbor& neighbor = config.neighbors[i];
    if (neighbor.address == nullptr || neighbor.mac == nullptr) throw std::invalid_argument("neighbors: an address and a MAC are expected");
    const std::string address = neighbor.address;
    const bool ipv6 = address.find(':') != std::string::npos;
    ip.neighbors.push_back({parse_address(address, ipv6, "neighbors"), 1, parse_mac(neighbor.mac, "neighbors")});
  }
}

/// Every destination lies behind one station, and nobody is asked for anything.
void hide_stations(IpConfig& ip) {
  if (ip.address != 0) {
    ip.prefix_length = 32;
    ip.gateway = ip.address ^ 1;
    ip.neighbors.push_back({ip.gateway, 1, kEveryone});
  }
  if (!ip.ipv6.enabled()) return;
  ip.ipv6.prefix_length = 128;
  ip.ipv6.gateway = {0xfe80'0000'0000'0000, 1};
  ip.ipv6.dad_transmits = 0;
  ip.neighbors.push_back({ip.ipv6.gateway, 1, kEveryone});
}

IpConfig read_ip(const qst_config& config) {
  IpConfig ip;
  read_addresses(config, ip);
  const uint64_t low = ip.ipv6.address.low;
  ip.mac = config.mac != nullptr ? parse_mac(config.mac, "mac") : derive_mac(ip.address != 0 ? ip.address : static_cast<uint32_t>(low));
  ip.mtu = static_cast<uint16_t>(number("mtu", config.mtu, 1500, 576, 1500));
  if (config.netdev_layer == QST_NETDEV_IP) {
    hide_stations(ip);
  } else {
    read_neighbors(config, ip);
  }
  return ip;
}

TcpConfig read_tcp(const qst_config& config, uint32_t sockets) {
  TcpConfig tcp;
  // One for each socket, one for each that waits for accept, and as many for what was closed and is not done yet.
  tcp.connections = 3 * sockets;
  tcp.busy = tcp.sums = tcp.connections;
  tcp.half_open = number("half_open", config.half_open, 1'024, 1, 1u << 24);
  tcp.time_wait = number("time_wait", config.time_wait, 4'096, 1, 1u << 24);
  tcp.receive_buffer = number("receive_buffer", config.receive_buffer, 65'536, 2'048, 1u << 30);
  tcp.send_buffer = number("send_buffer", config.send_buffer, 262'144, 2'048, 1u << 30);
  tcp.rto_min_ms = number("rto_min_ms", config.rto_min_ms, 200, 1, 60'000);
  tcp.rto_max_ms = number("rto_max_ms", config.rto_max_ms, 60'000, tcp.rto_min_ms, 600'000);
  tcp.time_wait_ms = number("time_wait_ms", config.time_wait_ms, 60'000, 1, 600'000);
  tcp.retries_max = static_cast<uint8_t>(number("retries_max", config.retries_max, 15, 1, 255));
  tcp.syn_retries_max = static_cast<uint8_t>(number("syn_retries_max", config.syn_retries_max, 7, 1, 7));
  tcp.congestion = congestion_of(config.congestion);
  if (config.delayed_ack_ms < -1 || config.delayed_ack_ms > 500) throw std::invalid_argument("delayed_ack_ms: -1 to 500 is expected");
  if (config.delayed_ack_ms != 0) tcp.delayed_ack_ms = config.delayed_ack_ms < 0 ? 0 : static_cast<uint32_t>(config.delayed_ack_ms);
  tcp.timestamps = config.no_timestamps == 0;
  tcp.sack = config.no_sack == 0;
  tcp.ecn = config.no_ecn == 0 ? EcnMode::accept : EcnMode::off;
  tcp.secret = secret_of(config.seed);
  return tcp;
}

}  // namespace

InstanceConfig read_config(const qst_config& config) {
  if (config.size != sizeof(qst_config)) throw std::invalid_argument("size: fill the configuration by qst_config_init()");
  if (config.clock != QST_CLOCK_MONOTONIC && config.clock != QST_CLOCK_MANUAL) throw std::invalid_argument("clock: one of qst_clock_source is expected");
  if (config.netdev_layer != QST_NETDEV_ETHERNET && config.netdev_layer != QST_NETDEV_IP) {
    throw std::invalid_argument("netdev_layer: one of qst_netdev_layer is expected");
  }
  InstanceConfig out;
  out.sockets = number("sockets", config.sockets, 1'024, 1, 1u << 20);
  out.epolls = number("epolls", config.epolls, 64, 1, 1u << 20);
  out.interests = number("epoll_interests", config.epoll_interests, 2 * out.sockets, 1, 1u << 24);
  out.rx_packets = number("rx_packets", config.rx_packets, 16'384, 64, 1u << 20);
  out.tx_packets = number("tx_packets", config.tx_packets, 16'384, 64, 1u << 20);
  out.device = config.device == nullptr ? "" : config.device;
  out.ip_layer = config.netdev_layer == QST_NETDEV_IP;
  if (out.ip_layer && !out.device.empty()) throw std::invalid_argument("netdev_layer: QST_NETDEV_IP is for a stack without a device");
  out.manual_clock = config.clock == QST_CLOCK_MANUAL;
  out.wait = config.wait;
  out.wait_argument = config.wait_argument;
  out.stack.ip = read_ip(config);
  out.stack.tcp = read_tcp(config, out.sockets);
  out.stack.ip.secret = out.stack.tcp.secret[3];
  return out;
}

}  // namespace qstack::capi
