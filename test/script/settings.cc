#include "test/script/settings.hh"

#include <algorithm>
#include <functional>

#include "test/script/addresses.hh"
#include "test/script/cursor.hh"

namespace qstack::script {
namespace {

using Setter = std::function<void(Settings&, Cursor&)>;

template <typename Field>
Setter number(Field TcpConfig::*field) {
  return [field](Settings& s, Cursor& at) { s.stack.tcp.*field = static_cast<Field>(at.number()); };
}

Congestion congestion_named(Cursor& at) {
  const std::string name = at.word();
  if (name == "cubic") return Congestion::cubic;
  if (name == "newreno" || name == "reno") return Congestion::newreno;
  if (name == "dctcp") return Congestion::dctcp;
  at.fail("'" + name + "' is neither cubic, newreno nor dctcp");
}

EcnMode ecn_named(Cursor& at) {
  const std::string name = at.word();
  if (name == "off") return EcnMode::off;
  if (name == "accept") return EcnMode::accept;
  if (name == "on") return EcnMode::on;
  at.fail("'" + name + "' is neither off, accept nor on");
}

/// read_script has taken it already: lines are read by it.
void check_version(Cursor& at) {
  const std::string version = at.word();
  if (version != "ipv4" && version != "ipv6") at.fail("'" + version + "' is neither ipv4 nor ipv6");
}

struct Named {
  const char* name;
  Setter set;
};

const std::vector<Named>& setters() {
  static const std::vector<Named> all = {
      {"connections", number(&TcpConfig::connections)},
      {"half_open", number(&TcpConfig::half_open)},
      {"time_wait", number(&TcpConfig::time_wait)},
      {"receive_buffer", number(&TcpConfig::receive_buffer)},
      {"rto_min_ms", number(&TcpConfig::rto_min_ms)},
      {"rto_max_ms", number(&TcpConfig::rto_max_ms)},
      {"delayed_ack_ms", number(&TcpConfig::delayed_ack_ms)},
      {"time_wait_ms", number(&TcpConfig::time_wait_ms)},
      {"idle_timeout_ms", number(&TcpConfig::idle_timeout_ms)},
      {"retries_max", number(&TcpConfig::retries_max)},
      {"syn_retries_max", number(&TcpConfig::syn_retries_max)},
      {"syn_cookies", number(&TcpConfig::syn_cookies)},
      {"half_open_per_source", number(&TcpConfig::half_open_per_source)},
      {"connections_per_source", number(&TcpConfig::connections_per_source)},
      {"timestamps", number(&TcpConfig::timestamps)},
      {"sack", number(&TcpConfig::sack)},
      {"pacing", number(&TcpConfig::pacing)},
      {"ecn", [](Settings& s, Cursor& at) { s.stack.tcp.ecn = ecn_named(at); }},
      {"congestion", [](Settings& s, Cursor& at) { s.stack.tcp.congestion = congestion_named(at); }},
      {"mtu", [](Settings& s, Cursor& at) { s.stack.ip.mtu = static_cast<uint16_t>(at.number_up_to(9'000)); }},
      {"rate_limit", [](Settings& s, Cursor& at) { s.socket.options.put(TcpOption::pacing_rate, at.number()); }},
      {"peer_isn", [](Settings& s, Cursor& at) { s.peer_isn = at.number(); }},
      {"tolerance_usecs", [](Settings& s, Cursor& at) { s.tolerance = Nanos{at.number()} * 1'000; }},
      {"burst", [](Settings& s, Cursor& at) { s.burst = at.number() != 0; }},
      {"ip_version", [](Settings&, Cursor& at) { check_version(at); }},
  };
  return all;
}

/// Small pools: a script that leaks is seen sooner, and starting one costs nothing.
StackConfig usual_stack(bool ipv6) {
  constexpr MacAddress kPeerMac = {2, 0, 0, 0, 0, 2};
  StackConfig config;
  config.ip.mac = {2, 0, 0, 0, 0, 1};
  config.ip.address = kStackIpv4;
  config.ip.prefix_length = 24;
  config.ip.neighbors = {{IpAddress(kPeerIpv4), kPeers, kPeerMac}};
  config.ip.neighbors_max = 512;
  if (ipv6) {
    config.ip.ipv6.address = kStackIpv6;
    config.ip.ipv6.dad_transmits = 0;
    config.ip.neighbors.push_back({kPeerIpv6, kPeers, kPeerMac});
  }
  config.tcp.connections = config.tcp.busy = 32;
  config.tcp.half_open = config.tcp.time_wait = 16;
  config.tcp.receive_buffer = 65'535;  // windows need no scale
  config.tcp.secret = {1, 22, 333, 4444};
  return config;
}

}  // namespace

Settings settings_of(const Script& script) {
  Settings settings;
  settings.stack = usual_stack(script.ipv6);
  for (const Setting& line : script.settings) {
    Cursor at(line.value, script.path + ":" + std::to_string(line.line));
    const auto& all = setters();
    const auto setter = std::ranges::find_if(all, [&](const Named& named) { return line.name == named.name; });
    if (setter == all.end()) at.fail("there is no setting '" + line.name + "'");
    setter->set(settings, at);
  }
  return settings;
}

}  // namespace qstack::script
