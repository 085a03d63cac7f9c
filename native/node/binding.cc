// The addon: Node-API only, control calls and pollers, never a call per packet.
//
// In: an environment (the main thread, or a worker) that loads the addon. Out: the functions that stack/native.ts
// describes. Every file of this folder with exports has a register_ function, listed here. When the environment that
// loaded the addon first ends, all stack threads are joined: load it in the main thread before any worker.
#include <napi.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "native/node/env_data.hh"

namespace qstack::node {

namespace {

void set_error(Napi::Env env, const std::string& sentence, const std::string& code) {
  Napi::Error error = Napi::Error::New(env, sentence);
  if (!code.empty()) error.Set("code", Napi::String::New(env, code));
  throw error;
}

struct Stops {
  std::mutex mutex;
  std::vector<void (*)()> all;
};

/// Never destroyed: it is read while the process ends.
Stops& stops() {
  static Stops* const list = new Stops;
  return *list;
}

void run_stops() {
  std::vector<void (*)()> all;
  {
    const std::lock_guard lock(stops().mutex);
    all = stops().all;
  }
  for (void (*const stop)() : all) stop();
}

// process.exit() tears down no environment, so there is an exit handler as well; it was registered after the libraries
// of this addon were loaded, so it runs before their destructors.
void stop_threads_at_end(Napi::Env env) {
  static std::atomic<bool> first{true};
  if (!first.exchange(false)) return;
  napi_add_env_cleanup_hook(
      env, [](void*) { run_stops(); }, nullptr);
  std::atexit(run_stops);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new EnvData);
  stop_threads_at_end(env);
  register_control(env, exports);
  register_poller(env, exports);
  register_mcc(env, exports);
  register_monitor(env, exports);
  register_redis(env, exports);
  register_classify(env, exports);
  return exports;
}

}  // namespace

Napi::Value guarded(const Napi::CallbackInfo& info, const std::function<Napi::Value()>& body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const CodedError& error) {
    set_error(info.Env(), error.what(), error.code());
  } catch (const std::exception& error) {
    set_error(info.Env(), error.what(), "QST_ERR_NATIVE");
  }
  return info.Env().Undefined();
}

void at_process_end(void (*stop)()) {
  const std::lock_guard lock(stops().mutex);
  stops().all.push_back(stop);
}

}  // namespace qstack::node

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) { return qstack::node::init(env, exports); }
NODE_API_MODULE(qstack, init_addon)
