// EnvData: what the addon keeps per JavaScript thread.
#pragma once

#include <napi.h>

#include <map>

#include "native/node/call.hh"

namespace qstack::node {

struct EnvData {
  Napi::FunctionReference poller_class;
  Napi::FunctionReference redis_class;
  /// Arena buffers of this thread, by stack: one memory must not get two buffers in one thread.
  std::map<uint32_t, Napi::Reference<Napi::ArrayBuffer>> arenas;
};

inline EnvData& env_data(Napi::Env env) { return *env.GetInstanceData<EnvData>(); }

// Each file of this folder that exports something has one of these.
void register_control(Napi::Env env, Napi::Object exports);
void register_poller(Napi::Env env, Napi::Object exports);
void register_mcc(Napi::Env env, Napi::Object exports);
void register_monitor(Napi::Env env, Napi::Object exports);
void register_redis(Napi::Env env, Napi::Object exports);
void register_classify(Napi::Env env, Napi::Object exports);

}  // namespace qstack::node
