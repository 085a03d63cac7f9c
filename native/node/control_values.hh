// From numbers of the core to JavaScript objects, as stack/native.ts describes them.
#pragma once

#include <napi.h>

#include <map>
#include <string>

#include "native/node/stack_instance.hh"

namespace qstack::node {

inline Napi::Object hiccups_value(Napi::Env env, const HiccupProbe::Summary& summary) {
  Napi::Object out = Napi::Object::New(env);
  const auto us = [](Nanos time) { return static_cast<double>(time) / 1000; };
  out.Set("windows", static_cast<double>(summary.windows));
  out.Set("p50Us", us(summary.p50));
  out.Set("p99Us", us(summary.p99));
  out.Set("p999Us", us(summary.p999));
  out.Set("maxUs", us(summary.max));
  return out;
}

inline Napi::Object map_value(Napi::Env env, const std::map<std::string, uint64_t>& counts) {
  Napi::Object out = Napi::Object::New(env);
  for (const auto& [name, count] : counts) out.Set(name, static_cast<double>(count));
  return out;
}

Napi::Object counters_value(Napi::Env env, const CounterSnapshot& snapshot);
/// Cell by cell, level by level, stage by stage.
Napi::Value sojourn_value(Napi::Env env, const Sojourn& sojourn, uint32_t levels);

}  // namespace qstack::node
