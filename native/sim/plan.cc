#include "native/sim/plan.hh"

namespace qstack::sim {
namespace {

enum Purpose : uint64_t { kWhole = 1, kHost, kLink, kTransfer, kSide, kFault, kMessages, kJudge, kRewrites, kPolicies, kPolicyChanges,
                        kStacks, kFragments };

constexpr uint32_t kFaultsMax = 12;
constexpr uint32_t kStacksMax = 3;
/// As many as a host has packets at most, so it is never full.
constexpr uint32_t kWideWay = 512;
/// Room for what a message says of itself (native/sim/sim_app.cc).
constexpr uint16_t kMessageLeast = 8;
/// R2 of RFC 9293 3.8.3 is 100 s at least; with a short RTO that takes more than the usual number of retransmissions.
constexpr uint32_t kGiveUpMs = 100'000;

/// What a host may be. Everything is drawn whether it is wanted or not: the draws that follow stay the same.
HostPlan make_host(uint64_t seed, uint32_t number, const Limits& limits) {
  Random r(seed, kHost, number);
  HostPlan host;
  TcpConfig& tcp = host.config.tcp;
  const auto pick = [&](Feature feature, uint32_t ppm) { return r.chance(ppm) && limits.has(feature); };
  tcp.connections = 64;
  tcp.busy = 64;
  tcp.half_open = pick(Feature::cookies, 300'000) ? 1 : 64;
  tcp.time_wait = 64;
  tcp.sack = !pick(Feature::sack, 250'000);
  tcp.timestamps = !pick(Feature::timestamps, 250'000);
  tcp.pacing = pick(Feature::pacing, 200'000);
  const auto ecn = r.one_of({EcnMode::off, EcnMode::accept, EcnMode::on});
  tcp.ecn = limits.has(Feature::ecn) ? ecn : EcnMode::off;
  const auto congestion = r.one_of({Congestion::cubic, Congestion::newreno, Congestion::dctcp});
  tcp.congestion = limits.has(Feature::congestion) ? congestion : Congestion::newreno;
  const uint32_t delayed_ack_ms = r.one_of({0u, 1u, 40u, 200u});
  tcp.delayed_ack_ms = limits.has(Feature::delayed_ack) ? delayed_ack_ms : 0;
  const uint32_t receive_buffer = r.magnitude(2'000, 1'000'000);
  tcp.receive_buffer = limits.has(Feature::small_buffers) ? receive_buffer : 262'144;
  const uint8_t levels = r.one_of<uint8_t>({1, 1, 2, 8});
  tcp.levels = limits.has(Feature::levels) ? levels : 1;
  tcp.rto_min_ms = r.one_of({20u, 200u, 1'000u});
  tcp.rto_max_ms = r.one_of({1'000u, 5'000u, 60'000u});
  if (tcp.rto_max_ms < tcp.rto_min_ms) tcp.rto_max_ms = tcp.rto_min_ms;
  tcp.retries_max = static_cast<uint8_t>(std::max<uint32_t>(tcp.retries_max, kGiveUpMs / tcp.rto_max_ms));
  const uint32_t time_wait_ms = r.one_of({0u, 100u, 2'000u, 30'000u});
  tcp.time_wait_ms = limits.has(Feature::time_wait) ? time_wait_ms : 0;
  const uint16_t mtu = r.one_of<uint16_t>({1'500, 1'500, 1'500, 1'400, 1'280, 576});
  host.config.ip.mtu = limits.has(Feature::small_mtu) ? mtu : 1'500;
  host.config.ip.ipv6.dad_transmits = static_cast<uint8_t>(r.below(2));
  const uint32_t rx_packets = r.magnitude(64, 512), tx_packets = r.magnitude(64, 512);
  if (pick(Feature::small_pools, 250'000)) host.rx_packets = rx_packets, host.tx_packets = tx_packets;
  const uint32_t grain_us = r.one_of({1u, 10u, 100u, 1'000u});
  if (limits.has(Feature::coarse_turns)) host.grain_us = grain_us;
  const uint32_t refusal_ppm = r.magnitude(1'000, 800'000);
  if (pick(Feature::refusals, 250'000)) host.refusal_ppm = refusal_ppm;
  for (uint64_t& part : tcp.secret) part = r.next();
  host.config.ip.secret = r.next();
  const uint16_t high_length = r.one_of<uint16_t>({66, 100, 500, 1'000});
  if (tcp.levels > 1 && pick(Feature::classifiers, 500'000)) host.high_length = high_length;
  return host;
}

void make_link(HostPlan& host, uint64_t seed, uint32_t number, const Limits& limits) {
  Random r(seed, kLink, number);
  host.delay_us = r.chance(300'000) ? 0 : r.magnitude(5, 100'000);
  const uint64_t bytes_per_second = uint64_t{r.magnitude(100, 1'000'000)} * 1'000;
  const uint32_t queue_ms = r.between(1, 200);
  const bool marks = r.chance(500'000);
  if (!r.chance(500'000) || !limits.has(Feature::slow_links)) return;
  host.bytes_per_second = bytes_per_second;
  host.queue_bytes =
      static_cast<uint32_t>(std::clamp<uint64_t>(bytes_per_second * queue_ms / 1'000, 20'000, 1'500'000));
  host.drop_bytes = host.queue_bytes / 4 * 3;
  if (marks && limits.has(Feature::marks)) host.mark_bytes = host.queue_bytes / 4;
}

Behaviour make_behaviour(uint64_t seed, uint32_t number, uint32_t side, const Limits& limits) {
  Random r(seed, kSide, number * 2 + side);
  Behaviour b;
  const auto pick = [&](Feature feature, uint32_t ppm) { return r.chance(ppm) && limits.has(feature); };
  const uint32_t writes = r.magnitude(1, 4'096);
  const uint32_t size = r.magnitude(1, 1'024);
  const bool silent = r.chance(150'000);
  if (pick(Feature::small_writes, 400'000)) {
    b.write_least = 1;
    b.write_most = static_cast<uint16_t>(std::max(size, 1u));
  }
  b.bytes = silent ? 0 : std::min<uint64_t>(uint64_t{writes} * (b.write_least + b.write_most) / 2, limits.bytes_max);
  b.burst = r.magnitude(1, 64);
  const uint32_t pause_us = r.magnitude(100, 500'000);
  if (pick(Feature::pauses, 300'000)) b.pause_us = pause_us;
  b.unsent_max = r.magnitude(2'000, 500'000);
  b.drains = pick(Feature::drains, 300'000);
  b.level = static_cast<uint8_t>(r.below(8));
  b.levels = r.chance(600'000) ? 8 : 1;
  const uint32_t hold_us = r.magnitude(100, 3'000'000), hold_max = r.magnitude(1, 64);
  if (pick(Feature::slow_readers, 300'000)) b.hold_us = hold_us, b.hold_max = hold_max;
  const uint64_t abort_at = 1 + r.below(static_cast<uint32_t>(b.bytes) + 1);
  if (pick(Feature::aborts, 80'000)) b.abort_at = abort_at;
  b.early_close = pick(Feature::early_closes, 80'000);
  return b;
}

/// A draw of its own, so that hosts are the same without it.
void make_judge(HostPlan& host, uint64_t seed, uint32_t number, const Limits& limits) {
  Random r(seed, kJudge, number);
  host.judges = r.chance(600'000) && limits.has(Feature::messages) && host.config.tcp.levels > 1;
  host.unordered = r.chance(500'000) && limits.has(Feature::messages);
  const uint32_t stall_us = r.magnitude(1'000, 500'000);
  if (r.chance(300'000) && limits.has(Feature::refusals)) host.stall_us = stall_us;
  host.defers = r.chance(500'000);
}

PolicyConfig policy_of(Random& r) {
  PolicyConfig policy;
  policy.kind = r.one_of({PolicyKind::strict, PolicyKind::weighted, PolicyKind::deadline});
  const uint32_t bound_us = r.magnitude(10, 1'000'000);
  policy.bound = r.chance(250'000) ? 0 : to_stamp(uint64_t{bound_us} * 1'000);
  for (uint32_t level = 0; level < kLevelsMax; ++level) {
    policy.weights[level] = r.magnitude(1, 1'000);
    policy.budgets[level] = to_stamp(uint64_t{r.magnitude(10, 60'000'000)} * 1'000);
  }
  return policy;
}

/// Which level goes next at its queues, and when another policy takes over. Draws of their own, too.
void make_policies(HostPlan& host, uint64_t seed, uint32_t number, const Limits& limits) {
  if (!limits.has(Feature::policies)) return;
  Random first(seed, kPolicies, number), change(seed, kPolicyChanges, number);
  host.config.policy = policy_of(first);
  if (!change.chance(500'000)) return;
  host.policy_turns = change.magnitude(1, 10'000);
  host.other_policy = policy_of(change);
}

/// Several stacks on one host, the first of which steers. Draws of their own as well.
void make_stacks(HostPlan& host, uint64_t seed, uint32_t number, const Limits& limits) {
  if (!limits.has(Feature::stacks)) return;
  Random r(seed, kStacks, number);
  host.stacks = r.between(1, kStacksMax);
  host.way_frames = r.one_of({16u, 64u, kWideWay});
  host.slow_turns = r.one_of({1u, 1u, 2u, 5u});
}

/// Some transfers are of messages, of all levels and of random lengths.
void make_messages(TransferPlan& t, uint64_t seed, const Limits& limits) {
  Random r(seed, kMessages, t.number);
  const bool wanted = r.chance(400'000) && limits.has(Feature::messages);
  for (uint8_t& framing : t.framing) {
    const auto drawn = static_cast<uint8_t>(r.between(2, kFramingCount - 1));
    if (wanted) framing = drawn;
  }
}

/// Levels reorder messages, so they need a framing that tells messages apart, and a sender that knows as many.
void fit_levels(Behaviour& b, const TcpConfig& sender, const FramingPlan& framing) {
  const bool messages = framing.framing == Framing::fixed || framing.framing == Framing::length_prefix;
  b.levels = messages ? std::min(b.levels, sender.levels) : uint8_t{1};
  b.level = static_cast<uint8_t>(b.level % sender.levels);
  if (framing.framing == Framing::length_prefix) {
    b.write_most = std::clamp<uint16_t>(b.write_most, kMessageLeast, framing.prefix.maximum);
    b.write_least = std::clamp<uint16_t>(b.write_least, kMessageLeast, b.write_most);
    b.bytes = b.bytes == 0 ? 0 : std::max<uint64_t>(b.bytes, kMessageLeast);
  }
  if (framing.framing != Framing::fixed) return;
  b.bytes -= b.bytes % framing.fixed_length;
  if (b.levels > 1) b.write_least = b.write_most = framing.fixed_length;
}

/// Where segments are small a window of them fills a narrow way, and without SACK each of those lost takes a round trip.
void widen_ways(Plan& plan) {
  const auto sacks = [](const HostPlan& host) { return host.config.tcp.sack; };
  if (std::all_of(plan.hosts.begin(), plan.hosts.end(), sacks)) return;
  for (HostPlan& host : plan.hosts) host.way_frames = kWideWay;
}

TransferPlan make_transfer(const Plan& plan, uint32_t number, const Limits& limits) {
  Random r(plan.seed, kTransfer, number);
  const auto hosts = static_cast<uint32_t>(plan.hosts.size());
  TransferPlan t;
  t.number = number;
  // Of as many hosts as there may be, so that fewer of them keep the transfers that they have.
  const uint32_t first = r.below(kHostsMax), step = r.between(1, kHostsMax - 1);
  t.host[0] = static_cast<uint8_t>(first % hosts);
  t.host[1] = static_cast<uint8_t>((first + step) % hosts);
  if (t.host[0] == t.host[1]) t.host[1] = static_cast<uint8_t>((t.host[0] + 1) % hosts);
  const bool wide = plan.hosts[t.host[0]].config.ip.mtu >= 1'280 && plan.hosts[t.host[1]].config.ip.mtu >= 1'280;
  t.ipv6 = r.chance(400'000) && wide && limits.has(Feature::ipv6);
  const bool framed = limits.has(Feature::framing);
  for (uint8_t& framing : t.framing) {
    const auto drawn = static_cast<uint8_t>(r.chance(400'000) ? r.below(kPlainFramings) : 0);
    framing = framed ? drawn : 0;
  }
  make_messages(t, plan.seed, limits);
  t.nagle = r.chance(200'000) && limits.has(Feature::nagle);
  const bool same_port = r.chance(300'000);
  if (same_port && limits.has(Feature::same_ports)) t.port = static_cast<uint16_t>(9'000 + number % 2);
  t.start_ms = r.below(plan.faults_ms / 2 + 1);
  for (uint32_t side = 0; side < 2; ++side) {
    t.side[side] = make_behaviour(plan.seed, number, side, limits);
    fit_levels(t.side[side], plan.hosts[t.host[side]].config.tcp, kFramings[t.framing[1 - side]]);
  }
  // What a slow link would need minutes for is of no use.
  for (uint32_t side = 0; side < 2; ++side) {
    const uint64_t rate = plan.hosts[t.host[side]].bytes_per_second;
    Behaviour& b = t.side[side];
    if (rate != 0) b.bytes = std::min(b.bytes, rate * 5);
    const uint16_t unit = kFramings[t.framing[1 - side]].fixed_length;
    if (unit != 0) b.bytes -= b.bytes % unit;
    if (kFramings[t.framing[1 - side]].framing == Framing::length_prefix && b.bytes < kMessageLeast) b.bytes = 0;
  }
  return t;
}

Fault make_fault(const Plan& plan, uint32_t number, const Limits& limits) {
  constexpr auto kFirst = static_cast<uint32_t>(Feature::loss), kLast = static_cast<uint32_t>(Feature::crashes);
  Random r(plan.seed, kFault, number);
  Fault f;
  f.number = number;
  f.kind = static_cast<Feature>(r.between(kFirst, kLast));
  f.host = static_cast<uint8_t>(r.below(kHostsMax));
  f.from_ms = r.below(plan.faults_ms);
  f.until_ms = std::min(f.from_ms + r.magnitude(10, 20'000), plan.faults_ms);
  f.value = r.magnitude(100, 300'000);
  f.extra = r.magnitude(10, 200'000);
  switch (f.kind) {
    case Feature::bursts:
      f.value = r.magnitude(100, 30'000);
      f.extra = r.between(2, 40);
      break;
    case Feature::mtu_changes:
      f.value = r.one_of({1'400u, 1'280u, 1'000u, 576u});
      f.extra = r.below(2) && limits.has(Feature::icmp);
      break;
    case Feature::outages:
      f.until_ms = std::min(f.from_ms + r.magnitude(10, 5'000), plan.faults_ms);
      break;
    default:
      break;
  }
  return f;
}

/// A draw of its own, so that the other faults are the same without it.
Fault make_rewrites(const Plan& plan, uint32_t number) {
  Random r(plan.seed, kRewrites);
  Fault f = {number, Feature::rewrites, static_cast<uint8_t>(r.below(kHostsMax)), 0, plan.faults_ms, 0, 0};
  if (r.chance(250'000)) f.value = r.magnitude(10'000, 1'000'000);
  return f;
}

/// The same; they are of a network that cuts what does not fit some part of it.
Fault make_fragments(const Plan& plan, uint32_t number) {
  Random r(plan.seed, kFragments);
  Fault f = {number, Feature::fragments, static_cast<uint8_t>(r.below(kHostsMax)), 0, plan.faults_ms, 0, 0};
  if (r.chance(400'000)) f.value = r.magnitude(10'000, 1'000'000);
  return f;
}

bool listed(const std::optional<std::vector<uint32_t>>& numbers, uint32_t number) {
  return !numbers || std::find(numbers->begin(), numbers->end(), number) != numbers->end();
}

}  // namespace

Plan make_plan(uint64_t seed, const Limits& limits) {
  Random r(seed, kWhole);
  Plan plan;
  plan.seed = seed;
  plan.plant = limits.plant;
  const uint32_t hosts = r.one_of({2u, 2u, 2u, 3u, 4u}), transfers = r.magnitude(1, 16),
                 faults = r.below(kFaultsMax + 1);
  plan.faults_ms = r.magnitude(200, 20'000);
  // Shortly before a clock of 32 bits begins again, in µs or in ms.
  const Nanos wraps[] = {1'000'000'000, (Nanos{1} << 32) * 1'000, (Nanos{1} << 32) * 1'000'000};
  const uint32_t wrap = r.below(3);
  const Nanos before = uint64_t{r.below(3'000)} * 1'000'000;
  plan.start = wrap == 0 || !limits.has(Feature::clock_wrap) ? wraps[0] : wraps[wrap] - before;
  plan.starved = r.chance(100'000) && limits.has(Feature::small_pools);
  plan.resolves = r.chance(500'000) && limits.has(Feature::resolution);
  for (uint32_t i = 0; i < std::min(hosts, limits.hosts_max); ++i) {
    plan.hosts.push_back(make_host(seed, i, limits));
    HostPlan& host = plan.hosts.back();
    make_link(host, seed, i, limits);
    make_judge(host, seed, i, limits);
    make_policies(host, seed, i, limits);
    make_stacks(host, seed, i, limits);
    if (plan.starved) host.config.tcp.busy = 2, host.config.tcp.connections = 4;
  }
  widen_ways(plan);
  for (uint32_t i = 0; i < transfers; ++i) {
    if (listed(limits.transfers, i)) plan.transfers.push_back(make_transfer(plan, i, limits));
  }
  for (uint32_t i = 0; i <= faults + 1; ++i) {
    const Fault fault = i < faults ? make_fault(plan, i, limits) : i == faults ? make_rewrites(plan, i) : make_fragments(plan, i);
    const bool wanted = limits.has(fault.kind) && listed(limits.faults, i) && fault.host < plan.hosts.size() && fault.value != 0;
    if (wanted) plan.faults.push_back(fault);
  }
  return plan;
}

}  // namespace qstack::sim
