#include "native/sim/sim_host.hh"

#include <algorithm>

#include "native/classify/rule_table.hh"
#include "native/sim/level_rules.hh"

namespace qstack::sim {
namespace {

/// Timers have a tick of 1 ms; without connections only neighbours and records have any.
constexpr Nanos kTick = 1'000'000, kIdleTick = 10'000'000;
/// Queues are walked in one turn of so many.
constexpr uint32_t kQueueWalk = 64;

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

}  // namespace

SimHost::Life::Life(const Plan& plan, uint8_t number, uint32_t life, Network& network, Ledger& ledger, const Nanos& now,
                    const bool& healed)
    : region(plan.hosts[number].rx_packets + plan.hosts[number].tx_packets),
      rx(region.region(), 0, plan.hosts[number].rx_packets),
      tx(region.region(), plan.hosts[number].rx_packets, plan.hosts[number].tx_packets),
      port(number, rx, tx, network, ledger, plan.hosts[number].config.ip.mtu),
      app(plan.hosts[number], number, life, plan.seed, ledger, now, healed),
      stack(config_of(plan, number, life), port, rx, tx, app) {
  app.attach(stack, rx, tx);
  const HostPlan& host = plan.hosts[number];
  if (host.judges) {
    stack.replace_rules(std::make_unique<RuleBook>(level_by_byte(0, host.config.tcp.levels)));
  } else if (host.high_length != 0) {
    stack.replace_rules(std::make_unique<RuleBook>(classifier_of(host.high_length, host.config.tcp.levels)));
  }
  for (uint32_t i = 0; i < kFramingCount; ++i) {
    const auto port_number = static_cast<uint16_t>(kFirstPort + i);
    stack.listen(listener_of(host, kFramings[i], port_number));
  }
}

SimHost::SimHost(const Plan& plan, uint8_t number, Network& network, Ledger& ledger, const Nanos& now,
                 const bool& healed)
    : plan_(plan),
      number_(number),
      network_(network),
      ledger_(ledger),
      now_(now),
      healed_(healed),
      life_(std::make_unique<Life>(plan, number, 0, network, ledger, now, healed)) {}

void SimHost::crash() {
  network_.forget(number_);
  ledger_.crashed(number_);
  life_.reset();
  life_ = std::make_unique<Life>(plan_, number_, ++lives_, network_, ledger_, now_, healed_);
  pending_ = true;
}

Nanos SimHost::due() const {
  const bool busy = !life_->app.idle() || life_->stack.engine().connections_used() != 0;
  Nanos at = last_turn_ + (pending_ ? 0 : busy ? kTick : kIdleTick);
  at = std::min(at, network_.next_arrival(number_));
  at = std::min(at, life_->app.next_wake());
  const Nanos grain = uint64_t{plan_.hosts[number_].grain_us} * 1'000;
  return std::max(at, last_turn_ + grain);
}

void SimHost::turn() {
  last_turn_ = now_;
  change_policy();
  const bool wrote = life_->app.step();
  pending_ = life_->stack.turn(now_) != 0 || wrote;
  ++turns_;
  check();
}

/// Whatever waits, and whichever policy it came under, goes by the other one now.
void SimHost::change_policy() {
  const HostPlan& host = plan_.hosts[number_];
  if (host.policy_turns == 0 || turns_ % host.policy_turns != 0) return;
  const bool other = turns_ / host.policy_turns % 2 != 0;
  life_->stack.schedule(other ? host.other_policy : host.config.policy);
}

void SimHost::check() {
  const TcpEngine& engine = life_->stack.engine();
  for (const uint32_t slot : life_->app.active()) {
    End& end = life_->app.end_at(slot);
    Side& mine = end.mine();
    const Tcb* const c = mine.opened ? engine.inspect(mine.handle) : nullptr;
    if (c == nullptr) {
      mine.gone |= mine.opened;
      continue;
    }
    const Busy* const b = engine.inspect_busy(*c);
    ledger_.look(*end.attempt, end.side, *c, b);
    if (b != nullptr && b->early != kNoIndex) ledger_.look_into_early(*end.attempt, end.side, *c, engine.inspect_early(*b));
    if (b != nullptr && (turns_ + slot) % kQueueWalk == 0) ledger_.look_into_queues(*end.attempt, end.side, *c, *b);
  }
}

bool SimHost::empty() const {
  const TcpEngine& engine = life_->stack.engine();
  return engine.connections_used() == 0 && engine.busy_used() == 0 && engine.early_used() == 0 && engine.half_open_used() == 0 &&
         engine.time_wait_used() == 0 && engine.ipv6_used() == 0 && life_->rx.available() == life_->rx.capacity() &&
         life_->tx.available() == life_->tx.capacity();
}

std::string SimHost::what_is_left() const {
  const TcpEngine& engine = life_->stack.engine();
  return "host " + std::to_string(number_) + ": " + std::to_string(engine.connections_used()) + " control blocks, " +
         std::to_string(engine.busy_used()) + " busy blocks, " + std::to_string(engine.half_open_used()) +
         " half-open records, " + std::to_string(engine.time_wait_used()) + " TIME-WAIT records, " +
         std::to_string(engine.ipv6_used()) + " pairs of IPv6 addresses, " +
         std::to_string(life_->rx.capacity() - life_->rx.available()) + " received packets, " +
         std::to_string(life_->tx.capacity() - life_->tx.available()) + " packets to send";
}

}  // namespace qstack::sim
