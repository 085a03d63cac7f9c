// The load generator for JavaScript: control calls only, see tools/mcc/native.ts.
//
// In: plain options. Out: numbers of generators in this process; each has its own thread, and its own device and stack or, on
// the kernel's, sockets. They are freed by destroyMcc, or at the end of the process.
#include <napi.h>

#include <map>
#include <memory>
#include <mutex>
#include <random>

#include "native/mcc/flood_port.hh"
#include "native/mcc/host.hh"
#include "native/node/device.hh"
#include "native/node/env_data.hh"
#include "native/node/mcc_forms.hh"
#include "native/node/options.hh"
#include "native/node/touch_progress.hh"
#include "native/port/eal.hh"
#include "native/wire/vlan.hh"

namespace qstack::node {

namespace {

using mcc::ClosedLoopConfig;
using mcc::EngineConfig;
using mcc::Host;

struct Instance {
  Mapping memory;
  std::unique_ptr<Device> device;        ///< none on kernel sockets
  std::unique_ptr<mcc::FloodPort> port;  ///< the device's, and the flood's
  std::unique_ptr<Host> host;  ///< last: its thread ends before the device goes
};

/// Never destroyed: it is read while the process ends.
struct Instances {
  std::mutex mutex;
  std::map<uint32_t, std::shared_ptr<Instance>> all;
  uint32_t next = 1;
};

Instances& instances() {
  static Instances* const list = new Instances;
  return *list;
}

std::shared_ptr<Instance> find(const Napi::CallbackInfo& info) {
  const std::lock_guard lock(instances().mutex);
  auto& all = instances().all;
  const auto found = info[0].IsNumber() ? all.find(info[0].As<Napi::Number>().Uint32Value()) : all.end();
  if (found == all.end()) throw CodedError("QST_ERR_NATIVE_OPTION", "mcc: there is no such generator");
  return found->second;
}

EngineConfig read_engine(const OptionReader& options) {
  EngineConfig config;
  config.connections = static_cast<uint32_t>(options.required("connections", 1, 1u << 24));
  config.slots = static_cast<uint32_t>(options.required("slots", config.connections, 1u << 25));
  config.first_address = static_cast<uint32_t>(options.required("firstAddress", 1, UINT32_MAX));
  config.addresses = static_cast<uint32_t>(options.required("addressCount", 1, 1u << 16));
  config.connector.batches = options.u32("batches", 1, 1, 1u << 24);
  config.connector.connecting_max = options.u32("connectingMax", 1024, 1, 1u << 20);
  config.message_length = options.u16("messageLength", 16, mcc::kMessageMin, 1448);
  config.shares = read_shares(options);
  config.level_per_message = options.boolean("levelPerMessage", false);
  config.answered_all = options.boolean("answeredAll", false);
  config.messages = read_messages(options, config.shares.size());
  config.reply = read_reply(options.object("reply"));
  config.reconnect_after = options.u32("reconnectAfter", 0);
  config.seed = options.integer("seed", 1, 0, (uint64_t{1} << 53) - 1);
  config.think_time = options.integer("thinkNs", 0, 0, kSecond);
  config.clock = monotonic_now;
  config.pending_max = options.u32("pendingMax", config.pending_max, 1, 1u << 26);
  return config;
}

ClosedLoopConfig read_closed_loop(const OptionReader& options, const EngineConfig& engine) {
  ClosedLoopConfig config;
  config.connections = engine.connections;
  config.slots = engine.slots;
  config.first_address = engine.first_address;
  config.addresses = engine.addresses;
  config.connecting_max = engine.connector.connecting_max;
  config.length = engine.message_length;
  config.seed = engine.seed;
  config.messages = options.u32("messages", 0);
  config.flows = options.integer("flows", 0, 0, uint64_t{1} << 48);
  config.opens_per_s = static_cast<double>(options.u32("opensPerS", 0, 0, 10'000'000));
  config.random_length = options.boolean("randomLength", false);
  config.clock = engine.clock;
  config.request = options.text("request", "");
  if (config.request.size() > kRoom) options.fail("request", "at most " + std::to_string(kRoom) + " bytes are expected");
  if (config.messages == 0 && (config.flows != 0 || config.opens_per_s != 0)) {
    options.fail("messages", "of connections that are opened anew, a number from 1 on is expected");
  }
  return config;
}

/// `mode`: open or closed.
mcc::LoadConfig read_load(const OptionReader& options, const EngineConfig& engine) {
  if (options.text("mode", "open") == "open") return engine;
  return read_closed_loop(options, engine);
}

StackConfig read_stack(const OptionReader& options, const EngineConfig& engine, const DeviceConfig& device) {
  StackConfig config;
  config.ip.address = engine.first_address;
  config.ip.address_count = engine.addresses;
  config.ip.prefix_length = static_cast<uint8_t>(options.u32("prefixLength", 16, 8, 30));
  config.ip.gateway = options.u32("gateway", 0);
  config.ip.vlan = options.u16("vlan", 0, 0, kVlanMax);
  config.ip.mac = device.mac;
  config.ip.mtu = config.tcp.mtu = device.mtu;
  config.tcp.connections = engine.slots;
  config.tcp.busy = static_cast<uint32_t>(options.required("busy", 1, engine.slots));
  config.tcp.half_open = 64;  // nobody connects to the generator
  config.tcp.levels = 1;  // the order of the schedule is that of the wire
  // RFC 6298 2.4. Of many connections each has an RTT sample from long ago: a time-out of less, once the server has become
  // slow, doubles its load by copies of what only waits there.
  config.tcp.rto_min_ms = 1'000;
  config.tcp.delayed_ack_ms = options.u32("delayedAckMs", 40, 0, 500);
  std::random_device random;
  for (uint64_t& word : config.tcp.secret) word = uint64_t{random()} << 32 | random();
  return config;
}

mcc::FloodConfig read_flood(const OptionReader& options, const EngineConfig& engine, const Endpoint& remote) {
  mcc::FloodConfig config;
  config.first_address = options.u32("floodAddress", 0);
  config.addresses = options.u32("floodAddresses", 0);
  config.spared = engine.first_address;
  config.spared_count = engine.addresses;
  config.vlan = options.u16("vlan", 0, 0, kVlanMax);
  config.destination = remote.address.ipv4();  // the generator speaks IPv4
  config.port = remote.port;
  config.seed = engine.seed;
  return config;
}

StackThreadConfig read_thread(const OptionReader& options) {
  StackThreadConfig config;
  config.name = "mcc";
  double core = options.has("core") ? options.value("core").As<Napi::Number>().DoubleValue() : -1;
  config.core = core >= 0 ? static_cast<int>(core) : -1;
  return config;
}

Endpoint read_remote(const OptionReader& options) {
  return {static_cast<uint32_t>(options.required("destination", 1, UINT32_MAX)),
          static_cast<uint16_t>(options.required("port", 1, 65535))};
}

/// `kernelSources`: local addresses; 0 leaves the choice to the kernel.
std::shared_ptr<Instance> make_kernel_instance(const OptionReader& options) {
  EngineConfig engine = read_engine(options);
  mcc::KernelConfig kernel;
  kernel.remote = read_remote(options);
  kernel.slots = engine.slots;
  const auto sources = options.value("kernelSources").As<Napi::Array>();
  kernel.sources.clear();
  for (uint32_t i = 0; i < sources.Length(); ++i) kernel.sources.push_back(sources.Get(i).As<Napi::Number>().Uint32Value());
  if (kernel.sources.empty()) options.fail("kernelSources", "at least one address is expected");
  // The load names addresses by their place in that list.
  engine.first_address = 0;
  engine.addresses = static_cast<uint32_t>(kernel.sources.size());
  auto instance = std::make_shared<Instance>();
  instance->host = std::make_unique<Host>(
      std::make_unique<mcc::KernelGenerator>(read_load(options, engine), kernel), read_thread(options));
  return instance;
}

std::shared_ptr<Instance> make_stack_instance(const OptionReader& options, const TouchProgress& progress) {
  const EngineConfig engine = read_engine(options);
  const DeviceConfig device = read_device(options, engine.first_address);
  const Endpoint remote = read_remote(options);
  auto instance = std::make_shared<Instance>();
  instance->memory = Mapping(Device::bytes(device));
  // Before the device's pools write to each of its packets, in this thread alone.
  const uint64_t packets = touch(std::array{instance->memory.region()}, touch_threads(), progress);
  instance->device = Device::make(device, instance->memory.data());
  Device& made = *instance->device;
  instance->port =
      std::make_unique<mcc::FloodPort>(read_flood(options, engine, remote), made.port(), made.rx(), made.tx());
  StackThreadConfig thread = read_thread(options);
  thread.on_start = eal_enter_thread;
  thread.on_stop = eal_leave_thread;
  instance->host = std::make_unique<Host>(
      std::make_unique<mcc::StackGenerator>(read_load(options, engine), read_stack(options, engine, device),
                                            *instance->port, made.rx(), made.tx(), remote),
      std::move(thread));
  touch(instance->host->memory(), touch_threads(), [&](uint64_t bytes) {
    if (progress) progress(packets + bytes);
  });
  return instance;
}

Napi::Value create(const Napi::CallbackInfo& info) {
  std::shared_ptr<Instance> instance;
  try {
    const OptionReader options(info[0], "createMcc");
    instance = options.has("kernelSources") ? make_kernel_instance(options)
                                            : make_stack_instance(options, touch_progress(info, 1));
  } catch (const std::bad_alloc&) {
    throw CodedError("QST_ERR_NO_MEMORY", "there is not enough memory for so many connections and packets; see mcc --plan");
  }
  const std::lock_guard lock(instances().mutex);
  instances().all[instances().next] = std::move(instance);
  return Napi::Number::New(info.Env(), instances().next++);
}

Napi::Value connect(const Napi::CallbackInfo& info) {
  find(info)->host->connect();
  return info.Env().Undefined();
}

mcc::ArrivalKind read_kind(const OptionReader& options) {
  const std::string kind = options.text("kind", "");
  if (kind == "wave") return mcc::ArrivalKind::wave;
  if (kind == "paced") return mcc::ArrivalKind::paced;
  if (kind == "poisson") return mcc::ArrivalKind::poisson;
  if (kind == "replay") return mcc::ArrivalKind::replay;
  if (kind != "window") options.fail("kind", "wave, paced, poisson, replay or window is expected");
  return mcc::ArrivalKind::window;
}

Napi::Value run(const Napi::CallbackInfo& info) {
  constexpr uint64_t kYear = 365ull * 24 * 3600 * kSecond;
  const auto instance = find(info);
  const OptionReader options(info[1], "mccRun");
  mcc::Plan plan;
  plan.kind = read_kind(options);
  plan.burst = options.u32("burst", 1, 1);
  plan.epoch = options.integer("epochNs", kSecond, 1, kYear);
  plan.rate = options.integer("rate", 1, 1, kSecond);
  plan.window = options.u32("window", 1, 1);
  plan.duration = options.integer("durationNs", kSecond, 1, kYear);
  if (plan.kind == mcc::ArrivalKind::replay) plan.trace = read_trace(options.object("trace"));
  const Nanos start = options.integer("startNs", 0, 0, UINT64_MAX >> 1);
  if (!instance->host->run(plan, start)) throw CodedError("QST_ERR_MCC_BUSY", "mccRun: connections are not ready");
  return info.Env().Undefined();
}

Napi::Value flood(const Napi::CallbackInfo& info) {
  constexpr double kMost = 1e9;
  const auto instance = find(info);
  const double rate = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1;
  if (instance->port == nullptr) throw CodedError("QST_ERR_NATIVE_OPTION", "mccFlood: kernel sockets send no floods");
  if (!(rate >= 0 && rate <= kMost)) {
    throw CodedError("QST_ERR_NATIVE_OPTION", "mccFlood: a rate from 0 to 1,000,000,000 is expected");
  }
  instance->port->set_rate(static_cast<uint64_t>(rate));
  return info.Env().Undefined();
}

Napi::Value stop_run(const Napi::CallbackInfo& info) {
  find(info)->host->stop_run();
  return info.Env().Undefined();
}

Napi::Value close(const Napi::CallbackInfo& info) {
  find(info)->host->close();
  return info.Env().Undefined();
}

void put(Napi::Object& object, const char* name, uint64_t value) { object.Set(name, static_cast<double>(value)); }

Napi::Object counts_object(Napi::Env env, const mcc::LevelCounts& counts) {
  Napi::Object object = Napi::Object::New(env);
  put(object, "offered", counts.offered);
  put(object, "sent", counts.sent);
  put(object, "answered", counts.answered);
  put(object, "errors", counts.errors);
  put(object, "failed", counts.failed);
  put(object, "unsent", counts.unsent);
  return object;
}

Napi::Value view(const Napi::CallbackInfo& info) {
  const mcc::View view = find(info)->host->view();
  Napi::Object object = Napi::Object::New(info.Env());
  put(object, "number", view.number);
  put(object, "phase", view.phase);
  put(object, "run", view.run);
  put(object, "elapsedNs", view.elapsed_ns);
  put(object, "answeredNs", view.answered_ns);
  put(object, "connected", view.connected);
  put(object, "retries", view.retries);
  put(object, "reconnects", view.reconnects);
  put(object, "renewals", view.renewals);
  put(object, "mismatched", view.mismatched);
  put(object, "late", view.late);
  put(object, "unexpected", view.unexpected);
  put(object, "inFlight", view.in_flight);
  put(object, "waiting", view.waiting);
  Napi::Array levels = Napi::Array::New(info.Env(), view.level_count);
  for (uint32_t i = 0; i < view.level_count; ++i) {
    Napi::Object level = counts_object(info.Env(), view.levels[i].counts);
    put(level, "p50Ns", view.levels[i].p50_ns);
    put(level, "p99Ns", view.levels[i].p99_ns);
    put(level, "p999Ns", view.levels[i].p999_ns);
    put(level, "maxNs", view.levels[i].max_ns);
    levels[i] = level;
  }
  object.Set("levels", levels);
  return object;
}

/// Highest value and count of each cell that is not empty.
Napi::Value cells_of(Napi::Env env, const mcc::Histogram& histogram) {
  std::vector<double> cells;
  for (uint32_t cell = 0; cell < mcc::Histogram::kCells; ++cell) {
    const uint64_t count = histogram.at(cell);
    if (count == 0) continue;
    cells.push_back(static_cast<double>(mcc::Histogram::Cells::highest(cell)));
    cells.push_back(static_cast<double>(count));
  }
  Napi::Float64Array array = Napi::Float64Array::New(env, cells.size());
  std::copy(cells.begin(), cells.end(), array.Data());
  return array;
}

Napi::Value cells(const Napi::CallbackInfo& info) {
  const auto instance = find(info);
  const auto count = static_cast<uint32_t>(instance->host->view().level_count);
  Napi::Array levels = Napi::Array::New(info.Env(), count);
  for (uint32_t i = 0; i < count; ++i) {
    levels[i] = cells_of(info.Env(), instance->host->latency(static_cast<uint8_t>(i)));
  }
  return levels;
}

Napi::Value hiccups(const Napi::CallbackInfo& info) {
  const HiccupProbe::Summary summary = find(info)->host->hiccups();
  Napi::Object object = Napi::Object::New(info.Env());
  put(object, "p99Ns", summary.p99);
  put(object, "maxNs", summary.max);
  return object;
}

Napi::Value result(const Napi::CallbackInfo& info) {
  const mcc::RunResult result = find(info)->host->result();
  Napi::Env env = info.Env();
  Napi::Array levels = Napi::Array::New(env, result.level_count);
  for (uint32_t i = 0; i < result.level_count; ++i) {
    const mcc::Histogram& latency = result.latency[i];
    Napi::Object level = counts_object(env, result.counts[i]);
    put(level, "p50Ns", latency.quantile(0.5));
    put(level, "p90Ns", latency.quantile(0.9));
    put(level, "p99Ns", latency.quantile(0.99));
    put(level, "p999Ns", latency.quantile(0.999));
    put(level, "maxNs", latency.max());
    put(level, "sendDelayNs", result.extremes[i].send_delay);
    put(level, "silenceNs", result.extremes[i].silence);
    level.Set("cells", cells_of(env, latency));
    levels[i] = level;
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("levels", levels);
  put(object, "bytesReceived", result.bytes_received);
  put(object, "hiccupP99Ns", result.hiccups.p99);
  put(object, "hiccupMaxNs", result.hiccups.max);
  return object;
}

Napi::Value counters(const Napi::CallbackInfo& info) {
  const auto instance = find(info);
  Napi::Object object = Napi::Object::New(info.Env());
  for (const auto& [name, count] : instance->host->counters()) object.Set(name, static_cast<double>(count));
  if (instance->device == nullptr) return object;
  for (const auto& [name, count] : instance->device->stats()) object.Set("device_" + name, static_cast<double>(count));
  put(object, "flood_sent", instance->port->sent());
  put(object, "flood_answered", instance->port->answered());
  object.Set("link_up", instance->device->port().link_up() ? 1 : 0);
  return object;
}

Napi::Value destroy(const Napi::CallbackInfo& info) {
  const auto instance = find(info);
  instance->host.reset();
  const std::lock_guard lock(instances().mutex);
  std::erase_if(instances().all, [&](const auto& entry) { return entry.second == instance; });
  return info.Env().Undefined();
}

/// No polling thread outlives the libraries that it uses.
void stop_all() {
  const std::lock_guard lock(instances().mutex);
  instances().all.clear();
}

template <Napi::Value (*Body)(const Napi::CallbackInfo&)>
Napi::Value call(const Napi::CallbackInfo& info) {
  return guarded(info, [&] { return Body(info); });
}

template <Napi::Value (*Body)(const Napi::CallbackInfo&)>
void export_call(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<call<Body>>(env, name));
}

}  // namespace

void register_mcc(Napi::Env env, Napi::Object exports) {
  export_call<create>(env, exports, "createMcc");
  export_call<connect>(env, exports, "mccConnect");
  export_call<run>(env, exports, "mccRun");
  export_call<flood>(env, exports, "mccFlood");
  export_call<stop_run>(env, exports, "mccStopRun");
  export_call<close>(env, exports, "mccClose");
  export_call<view>(env, exports, "mccView");
  export_call<cells>(env, exports, "mccCells");
  export_call<hiccups>(env, exports, "mccHiccups");
  export_call<result>(env, exports, "mccResult");
  export_call<counters>(env, exports, "mccCounters");
  export_call<destroy>(env, exports, "destroyMcc");
  static const bool told = (at_process_end(stop_all), true);
  (void)told;
}

}  // namespace qstack::node
