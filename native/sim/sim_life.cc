#include "native/sim/sim_life.hh"

#include <memory>

#include "native/classify/rule_table.hh"
#include "native/sim/level_rules.hh"

namespace qstack::sim {
namespace {

StackConfig config_of(const Plan& plan, uint8_t number, uint32_t life) {
  StackConfig config = plan.hosts[number].config;
  config.ip.address = ipv4_of(number);
  config.ip.prefix_length = 24;
  config.ip.mac = mac_of(number);
  config.ip.ipv6.address = config.ip.mtu >= kIpv6MtuMin ? ipv6_of(number) : IpAddress{};
  config.ip.neighbors_max = 64;
  for (uint8_t i = 0; i < plan.host_count() && !plan.resolves; ++i) {
    config.ip.neighbors.push_back({ipv4_of(i), 1, mac_of(i)});
    config.ip.neighbors.push_back({ipv6_of(i), 1, mac_of(i)});
  }
  for (uint64_t& part : config.tcp.secret) part = mix(part + life);
  return config;
}

/// One rule: frames up to `length` bytes are of level 0, the others of the lowest (native/classify/rule_table.hh).
Classifier classifier_of(uint16_t length, uint8_t levels) {
  using namespace rule_table;
  uint8_t table[kHeaderBytes + kRuleBytes + kConditionBytes] = {
      'Q', 'S', 'C', 'L', kVersion, levels, static_cast<uint8_t>(levels - 1)};
  table[8] = table[10] = 1;
  uint8_t* const rule = table + kHeaderBytes;
  rule[1] = 1;
  uint8_t* const condition = rule + kRuleBytes;
  condition[0] = static_cast<uint8_t>(Base::length);
  condition[1] = 2;
  condition[8] = condition[9] = 0xff;
  condition[16] = static_cast<uint8_t>(length);
  condition[17] = static_cast<uint8_t>(length >> 8);
  return std::get<Classifier>(Classifier::load(table));
}

std::deque<Packets> packets_of(const HostPlan& host) {
  std::deque<Packets> packets;
  while (packets.size() < host.stacks) packets.emplace_back(host);
  return packets;
}

}  // namespace

Shard::Shard(const Scene& scene, uint8_t host, uint32_t life, const StackConfig& config, Port& port, Packets& packets)
    : packets(packets),
      app(scene.plan.hosts[host], host, config.tcp.stack, life, scene.plan.seed, scene.ledger, scene.now, scene.healed),
      stack(config, port, packets.rx, packets.tx, app) {
  app.attach(stack, packets.rx, packets.tx);
  const HostPlan& plan = scene.plan.hosts[host];
  if (plan.judges) {
    stack.replace_rules(std::make_unique<RuleBook>(level_by_byte(0, plan.config.tcp.levels)));
  } else if (plan.high_length != 0) {
    stack.replace_rules(std::make_unique<RuleBook>(classifier_of(plan.high_length, plan.config.tcp.levels)));
  }
  for (uint32_t i = 0; i < kFramingCount; ++i) {
    stack.listen(listener_of(plan, kFramings[i], static_cast<uint16_t>(kFirstPort + i)));
  }
}

bool Shard::empty() const {
  const TcpEngine& engine = stack.engine();
  return engine.connections_used() == 0 && engine.busy_used() == 0 && engine.early_used() == 0 && engine.half_open_used() == 0 &&
         engine.time_wait_used() == 0 && engine.ipv6_used() == 0 && packets.all_home();
}

std::string Shard::what_is_left() const {
  const TcpEngine& engine = stack.engine();
  return std::to_string(engine.connections_used()) + " control blocks, " + std::to_string(engine.busy_used()) +
         " busy blocks, " + std::to_string(engine.half_open_used()) + " half-open records, " +
         std::to_string(engine.time_wait_used()) + " TIME-WAIT records, " + std::to_string(engine.ipv6_used()) +
         " pairs of IPv6 addresses, " + std::to_string(packets.rx.capacity() - packets.rx.available()) +
         " received packets, " + std::to_string(packets.tx.capacity() - packets.tx.available()) + " packets to send";
}

SimLife::SimLife(const Scene& scene, uint8_t host, uint32_t number)
    : config_(config_of(scene.plan, host, number)),
      steering_(config_.tcp.secret, scene.plan.hosts[host].stacks),
      packets_(packets_of(scene.plan.hosts[host])),
      device_(host, packets_[0].rx, packets_[0].tx, scene.network, scene.ledger, config_.ip.mtu) {
  if (packets_.size() > 1) share_device(scene.ledger, scene.plan.hosts[host].way_frames);
  if (scene.plan.plant == Plant::keep_pieces) config_.ip.others = nullptr;
  for (uint32_t stack = 0; stack < packets_.size(); ++stack) {
    Port& port = homes_.empty() ? static_cast<Port&>(device_) : homes_[stack];
    shards_.emplace_back(scene, host, number, config_, port, packets_[stack]);
    config_.tcp.stack = stack + 1;
    config_.ip.others = nullptr;
  }
}

/// Of the first stack the configuration is as it will be used.
void SimLife::share_device(Ledger& ledger, uint32_t way_frames) {
  std::vector<StackPorts::Pools> pools;
  for (Packets& packets : packets_) pools.push_back({&packets.rx, &packets.tx});
  ports_.emplace(device_, steering_, pools, way_frames);
  for (uint32_t stack = 0; stack < pools.size(); ++stack) homes_.emplace_back(ports_->port(stack), steering_, stack, ledger);
  config_.tcp.steering = &steering_;
  config_.ip.others = ports_->steerer(0);
}

}  // namespace qstack::sim
