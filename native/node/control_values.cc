#include "native/node/control_values.hh"

namespace qstack::node {

namespace {

Napi::Object pools_value(Napi::Env env, const CounterSnapshot& snapshot) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("rxFree", snapshot.rx_free);
  out.Set("rxPackets", snapshot.rx_packets);
  out.Set("txFree", snapshot.tx_free);
  out.Set("txPackets", snapshot.tx_packets);
  out.Set("rxWithApps", snapshot.rx_with_apps);
  out.Set("txWithApps", snapshot.tx_with_apps);
  out.Set("controlBlocks", snapshot.control_blocks);
  out.Set("busyBlocks", snapshot.busy_blocks);
  out.Set("earlyRanges", snapshot.early_ranges);
  out.Set("ipv6Pairs", snapshot.ipv6_pairs);
  out.Set("optionSets", snapshot.option_sets);
  return out;
}

Napi::Array by_stack(Napi::Env env, const std::vector<StackFigures>& stacks) {
  Napi::Array out = Napi::Array::New(env);
  for (const StackFigures& figures : stacks) {
    const auto count = [&](Counter counter) { return static_cast<double>(figures.counters.get(counter)); };
    Napi::Object one = Napi::Object::New(env);
    one.Set("connections", figures.control_blocks);
    one.Set("framesIn", count(Counter::rx_packets));
    one.Set("framesOut", count(Counter::tx_packets));
    one.Set("rxFree", figures.rx_free);
    one.Set("txFree", figures.tx_free);
    out.Set(out.Length(), one);
  }
  return out;
}

Napi::Array by_level(Napi::Env env, const std::array<uint64_t, kLevelsMax>& counts) {
  Napi::Array out = Napi::Array::New(env);
  uint32_t level = 0;
  for (const uint64_t count : counts) out.Set(level++, static_cast<double>(count));
  return out;
}

}  // namespace

Napi::Object counters_value(Napi::Env env, const CounterSnapshot& snapshot) {
  Napi::Object counters = Napi::Object::New(env);
  for (size_t i = 0; i < kCounters; ++i) {
    counters.Set(std::string(kCounterNames[i]), static_cast<double>(snapshot.counters.values[i]));
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("counters", counters);
  out.Set("messagesByLevel", by_level(env, snapshot.counters.messages_by_level));
  out.Set("deferredByLevel", by_level(env, snapshot.counters.deferred_by_level));
  out.Set("pools", pools_value(env, snapshot));
  out.Set("stacks", by_stack(env, snapshot.by_stack));
  out.Set("device", map_value(env, snapshot.device));
  if (!snapshot.faults.empty()) out.Set("fault", map_value(env, snapshot.faults));
  out.Set("linkUp", snapshot.link_up);
  return out;
}

Napi::Value sojourn_value(Napi::Env env, const Sojourn& sojourn, uint32_t levels) {
  Napi::Float64Array out = Napi::Float64Array::New(env, size_t{Sojourn::kStages} * levels * Sojourn::Cells::kCells);
  double* to = out.Data();
  for (uint32_t stage = 0; stage < Sojourn::kStages; ++stage) {
    for (uint32_t level = 0; level < levels; ++level) {
      for (const uint64_t count : sojourn.of(stage, level)) *to++ = static_cast<double>(count);
    }
  }
  return out;
}

}  // namespace qstack::node
