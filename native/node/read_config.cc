#include "native/node/read_config.hh"

#include <sys/random.h>

#include <cstring>

#include "native/node/read_policy.hh"
#include "native/port/eal.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/mix.hh"
#include "native/wire/vlan.hh"

namespace qstack::node {

namespace {

/// Slots of one stack: the flow table keeps the kind of a record in the two highest bits.
constexpr uint32_t kConnectionsMax = 1u << 28;

void read_neighbors(const OptionReader& options, IpConfig& ip) {
  if (!options.has("neighbors")) return;
  const Napi::Value list = options.value("neighbors");
  if (!list.IsArray()) options.fail("neighbors", "an array is expected");
  const auto lines = list.As<Napi::Array>();
  for (uint32_t i = 0; i < lines.Length(); ++i) {
    const OptionReader line(lines.Get(i), "createStack: ip: neighbors: " + std::to_string(i));
    StaticNeighbor neighbor;
    neighbor.first = line.address("first");
    neighbor.count = static_cast<uint32_t>(line.required("count", 1, UINT32_MAX));
    if (!line.has("mac")) line.fail("mac", "a MAC address is expected");
    neighbor.mac = line.mac("mac", {});
    ip.neighbors.push_back(neighbor);
  }
}

Ipv6Config read_ipv6(const OptionReader& options) {
  Ipv6Config ipv6;
  ipv6.address = options.address("address");
  if (!is_unicast_ipv6(ipv6.address)) options.fail("address", "the address of one IPv6 host is expected");
  ipv6.address_count = options.u32("addressCount", 1, 1, 1u << 24);
  ipv6.prefix_length = static_cast<uint8_t>(options.u32("prefixLength", ipv6.prefix_length, 0, 128));
  ipv6.gateway = options.address("gateway");
  ipv6.router_advertisements = options.boolean("routerAdvertisements", false);
  ipv6.dad_transmits = static_cast<uint8_t>(options.u32("dadTransmits", ipv6.dad_transmits, 0, 5));
  return ipv6;
}

IpConfig read_ip(const OptionReader& options) {
  IpConfig ip;
  if (options.has("ipv6")) ip.ipv6 = read_ipv6(options.object("ipv6"));
  ip.address = static_cast<uint32_t>(options.required("address", ip.ipv6.enabled() ? 0 : 1, UINT32_MAX));
  ip.address_count = options.u32("addressCount", 1, 1, UINT32_MAX - ip.address);
  ip.prefix_length = static_cast<uint8_t>(options.u32("prefixLength", ip.prefix_length, 0, 32));
  ip.gateway = options.u32("gateway", 0);
  ip.neighbors_max = options.u32("neighborsMax", ip.neighbors_max, 1, 1u << 24);
  ip.vlan = options.u16("vlan", 0, 0, kVlanMax);
  read_neighbors(options, ip);
  return ip;
}

/// `options`: a number and a value each, one after the other; stack/socket-options.ts has checked them.
void read_options(const OptionReader& options, SocketOptions& out) {
  if (!options.has("options")) return;
  const Napi::Value list = options.value("options");
  if (!list.IsArray()) options.fail("options", "an array of numbers and values is expected");
  const auto words = list.As<Napi::Array>();
  for (uint32_t i = 0; i + 1 < words.Length(); i += 2) {
    const uint32_t number = words.Get(i).ToNumber().Uint32Value(), value = words.Get(i + 1).ToNumber().Uint32Value();
    if (number > UINT8_MAX || out.set(static_cast<TcpOption>(number), value) != 0) {
      options.fail("options", "option " + std::to_string(number) + " does not take " + std::to_string(value));
    }
  }
}

TcpConfig read_tcp(const OptionReader& options) {
  TcpConfig tcp;
  tcp.connections = options.u32("connections", tcp.connections, 1, kConnectionsMax);
  tcp.half_open = options.u32("halfOpen", tcp.half_open, 1, kConnectionsMax);
  tcp.time_wait = options.u32("timeWait", tcp.time_wait, 1, kConnectionsMax);
  tcp.busy = options.u32("busy", tcp.busy, 1, kConnectionsMax);
  tcp.receive_buffer = options.u32("receiveBuffer", tcp.receive_buffer, 2048, 1u << 30);
  tcp.send_buffer = options.u32("sendBuffer", tcp.send_buffer, 2048, 1u << 30);
  tcp.rto_min_ms = options.u32("rtoMinMs", tcp.rto_min_ms, 1, 60'000);
  tcp.rto_max_ms = options.u32("rtoMaxMs", tcp.rto_max_ms, tcp.rto_min_ms, 3'600'000);
  tcp.delayed_ack_ms = options.u32("delayedAckMs", tcp.delayed_ack_ms, 0, 500);
  tcp.time_wait_ms = options.u32("timeWaitMs", tcp.time_wait_ms, 0, 240'000);
  tcp.idle_timeout_ms = options.u32("idleTimeoutMs", tcp.idle_timeout_ms, 0, 1u << 31);
  tcp.retries_max = static_cast<uint8_t>(options.u32("retriesMax", tcp.retries_max, 1, 255));
  tcp.syn_retries_max = static_cast<uint8_t>(options.u32("synRetriesMax", tcp.syn_retries_max, 0, 7));
  tcp.timestamps = options.boolean("timestamps", tcp.timestamps);
  tcp.sack = options.boolean("sack", tcp.sack);
  tcp.syn_cookies = options.boolean("synCookies", tcp.syn_cookies);
  tcp.pacing = options.boolean("pacing", tcp.pacing);
  tcp.ecn = static_cast<EcnMode>(options.u32("ecn", static_cast<uint32_t>(tcp.ecn), 0, 2));
  tcp.half_open_per_source = options.u32("halfOpenPerSource", 0);
  tcp.connections_per_source = options.u32("connectionsPerSource", 0);
  tcp.sums = options.u32("sums", tcp.sums, 0, kConnectionsMax);
  read_options(options, tcp.options);
  return tcp;
}

std::array<uint64_t, 4> read_secret(const OptionReader& options) {
  std::array<uint64_t, 4> secret{};
  if (!options.has("secret")) {
    if (getrandom(secret.data(), sizeof(secret), 0) != sizeof(secret)) {
      throw CodedError("QST_ERR_NATIVE", "the system gives no random numbers");
    }
    return secret;
  }
  const Napi::Value value = options.value("secret");
  const bool right = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array &&
                     value.As<Napi::Uint8Array>().ByteLength() == sizeof(secret);
  if (!right) options.fail("secret", "a Uint8Array of 32 bytes is expected");
  std::memcpy(secret.data(), value.As<Napi::Uint8Array>().Data(), sizeof(secret));
  return secret;
}

/// `rxBudgets`: packets by level.
void read_budgets(const OptionReader& options, ArenaConfig& arena) {
  if (!options.has("rxBudgets")) return;
  const Napi::Value value = options.value("rxBudgets");
  if (!value.IsArray() || value.As<Napi::Array>().Length() != arena.levels) {
    options.fail("rxBudgets", "a number of packets for each level is expected");
  }
  for (uint32_t level = 0; level < arena.levels; ++level) {
    const uint32_t packets = value.As<Napi::Array>().Get(level).ToNumber().Uint32Value();
    if (packets == 0) options.fail("rxBudgets", "each level needs at least one packet");
    arena.rx_budgets[level] = packets;
  }
}

ArenaConfig read_arena(const OptionReader& options, const InstanceConfig& config) {
  ArenaConfig arena;
  arena.stacks = config.device.stacks;
  arena.levels = static_cast<uint32_t>(options.required("levels", 1, abi::kLevelsMax));
  arena.apps = static_cast<uint32_t>(options.required("apps", 1, abi::kAppsMax));
  arena.connections = config.stack.tcp.connections;
  arena.rx_packets = config.device.rx_packets;
  arena.tx_packets = config.device.tx_packets;
  arena.empty_records = options.u32("emptyRecords", arena.empty_records, 1, 1u << 20);
  arena.slab_bytes = options.u32("slabBytes", 0);
  read_budgets(options, arena);
  // IPv4 and TCP headers, and the timestamps that nearly every peer agrees to: a full piece then is a full segment.
  arena.ipv6 = config.stack.ip.ipv6.enabled();
  arena.mss = config.device.mtu - 40u - (config.stack.tcp.timestamps ? 12u : 0u);
  return arena;
}

}  // namespace

InstanceConfig read_stack(const OptionReader& options) {
  InstanceConfig config;
  if (!options.has("ip")) options.fail("ip", "an object is expected");
  config.stack.ip = read_ip(options.object("ip"));
  if (options.has("tcp")) config.stack.tcp = read_tcp(options.object("tcp"));
  const IpConfig& ip = config.stack.ip;
  config.device = read_device(options, ip.address != 0 ? ip.address : ip.ipv6.address.ipv4());
  config.arena = read_arena(options, config);
  config.stack.ip.mac = config.device.mac;
  config.stack.ip.mtu = config.device.mtu;
  config.stack.tcp.mtu = config.device.mtu;
  config.stack.tcp.levels = static_cast<uint8_t>(config.arena.levels);
  config.stack.tcp.secret = read_secret(options);
  config.stack.ip.secret = mix_product(config.stack.tcp.secret[0] ^ 1, config.stack.tcp.secret[1]);
  if (options.has("policy")) config.stack.policy = read_policy(options.object("policy"), config.arena.levels);
  config.stack.shared = options.boolean("shared", false);
  config.stack.rx_burst = options.u16("rxBurst", config.stack.rx_burst, 1, 64);
  return config;
}

/// [offset, width, little-endian, adjust, maximum].
LengthPrefix read_prefix(const OptionReader& options) {
  const Napi::Value value = options.value("prefix");
  if (!value.IsArray() || value.As<Napi::Array>().Length() != 5) options.fail("prefix", "five numbers are expected");
  const auto number = [&](uint32_t i) { return value.As<Napi::Array>().Get(i).ToNumber().Int32Value(); };
  const auto within = [&](uint32_t i, int32_t most) {
    if (number(i) < 0 || number(i) > most) options.fail("prefix", std::to_string(number(i)) + " is out of range");
    return number(i);
  };
  LengthPrefix prefix;
  prefix.offset = static_cast<uint8_t>(within(0, UINT8_MAX));
  prefix.width = static_cast<uint8_t>(within(1, 4));
  prefix.little_endian = within(2, 1) != 0;
  prefix.adjust = number(3);
  prefix.maximum = static_cast<uint16_t>(within(4, kRoom));
  if (!prefix.valid()) options.fail("prefix", "the number does not fit into the longest message");
  return prefix;
}

ListenerConfig read_listener(const OptionReader& options) {
  ListenerConfig config;
  config.address = options.address("address");
  config.port = static_cast<uint16_t>(options.required("port", 0, UINT16_MAX));
  read_options(options, config.options);
  const std::string framing = options.text("framing", "");
  if (framing == "stream") {
    config.framing = Framing::stream;
  } else if (framing == "segment") {
    config.framing = Framing::segment;
  } else if (framing == "fixed") {
    config.framing = Framing::fixed;
    config.fixed_length = static_cast<uint16_t>(options.required("fixedLength", 1, kRoom));
  } else if (framing == "lengthPrefix") {
    config.framing = Framing::length_prefix;
    config.prefix = read_prefix(options);
  } else {
    options.fail("framing", "\"" + framing + "\", but stream, segment, fixed or lengthPrefix is expected");
  }
  config.unordered = options.boolean("unordered", false);
  return config;
}

StackThreadConfig read_run(const OptionReader& options) {
  StackThreadConfig config;
  config.name = options.text("name", "qstack");
  config.on_start = eal_enter_thread;
  config.on_stop = eal_leave_thread;
  const std::string poll = options.text("poll", "yield");
  if (poll == "yield") {
    config.poll = PollMode::yield;
  } else if (poll == "busy") {
    config.poll = PollMode::busy;
  } else if (poll == "sleep") {
    config.poll = PollMode::sleep;
  } else {
    options.fail("poll", "\"" + poll + "\", but yield, busy or sleep is expected");
  }
  return config;
}

std::vector<int> read_cores(const OptionReader& options) {
  if (!options.has("cores")) return {};
  const Napi::Value list = options.value("cores");
  if (!list.IsArray()) options.fail("cores", "an array of numbers is expected");
  std::vector<int> cores;
  for (uint32_t i = 0; i < list.As<Napi::Array>().Length(); ++i) {
    const double core = list.As<Napi::Array>().Get(i).ToNumber().DoubleValue();
    if (!(core >= 0 && core <= 1023)) options.fail("cores", "numbers from 0 to 1023 are expected");
    cores.push_back(static_cast<int>(core));
  }
  return cores;
}

}  // namespace qstack::node
