// The latency monitor for JavaScript: control calls only, see tools/monitor/native.ts.
//
// In: plain options. Out: numbers of monitors in this process; each has a source, a capture thread and shards. They are freed
// by destroyMonitor, or at the end of the process.
#include "native/monitor/monitor.hh"

#include <map>
#include <mutex>
#include <random>

#include "native/mempool/mapping.hh"
#include "native/monitor/mirror_source.hh"
#include "native/monitor/pcap_source.hh"
#include "native/monitor/port_source.hh"
#include "native/node/classify_calls.hh"
#include "native/node/device.hh"
#include "native/node/env_data.hh"
#include "native/node/options.hh"
#include "native/port/eal.hh"

namespace qstack::node {

namespace {

using namespace qstack::monitor;
using Info = Napi::CallbackInfo;

/// A device and, last, who uses it.
struct Watch {
  Mapping memory;
  std::unique_ptr<Device> device;
  std::unique_ptr<Monitor> monitor;
};

/// Never destroyed: it is read while the process ends.
struct Watches {
  std::mutex mutex;
  std::map<uint32_t, std::shared_ptr<Watch>> all;
  uint32_t next = 1;
};

Watches& watches() {
  static Watches* const list = new Watches;
  return *list;
}

std::shared_ptr<Watch> find_watch(const Info& info) {
  const std::lock_guard lock(watches().mutex);
  auto& all = watches().all;
  const auto found = info[0].IsNumber() ? all.find(info[0].As<Napi::Number>().Uint32Value()) : all.end();
  if (found == all.end()) throw CodedError("QST_ERR_NATIVE_OPTION", "monitor: there is no such monitor");
  return found->second;
}

template <typename T>
std::vector<T> read_numbers(const OptionReader& options, const char* name) {
  const Napi::Value value = options.value(name);
  if (!value.IsArray()) options.fail(name, "a list of numbers is expected");
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<T> out;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value item = list[i];
    const double number = item.IsNumber() ? item.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= 0 && number <= std::numeric_limits<T>::max())) options.fail(name, "a number is out of range");
    out.push_back(static_cast<T>(number));
  }
  return out;
}

Framing read_framing(const OptionReader& options, MatchConfig& config) {
  const std::string kind = options.text("framing", "segment");
  if (kind == "segment") return Framing::segment;
  if (kind == "http") return Framing::http;
  if (kind == "https") return Framing::https;
  if (kind == "fixed") {
    config.fixed_length = static_cast<uint32_t>(options.required("fixedLength", 1, kRoom));
    return Framing::fixed;
  }
  if (kind != "lengthPrefix") options.fail("framing", "segment, fixed, lengthPrefix, http or https is expected");
  const OptionReader prefix = options.object("prefix");
  config.prefix.offset = static_cast<uint8_t>(prefix.u32("offset", 0, 0, 255));
  config.prefix.width = static_cast<uint8_t>(prefix.u32("width", 2, 1, 4));
  config.prefix.little_endian = prefix.boolean("littleEndian", false);
  config.prefix.adjust = prefix.value("adjust").As<Napi::Number>().Int32Value();
  config.prefix.maximum = prefix.u16("maximum", kRoom, 1, kRoom);
  if (!config.prefix.valid()) options.fail("prefix", "no message can have such a length");
  return Framing::length_prefix;
}

void read_level(const OptionReader& options, MatchConfig& config) {
  const OptionReader level = options.object("level");
  const std::string by = level.text("by", "none");
  config.level.of_response = level.boolean("ofResponse", false);
  config.level.levels = static_cast<uint8_t>(level.u32("levels", 1, 1, kLevelsMax));
  if (by == "byte") {
    config.level.by = LevelBy::byte;
    config.level.offset = level.u16("offset", 0);
    config.level.values = read_numbers<uint8_t>(level, "values");
    if (config.level.values.empty() || config.level.values.size() >= kLevelsMax) level.fail("values", "1 to 7 are expected");
    config.level.levels = static_cast<uint8_t>(config.level.values.size() + 1);
  } else if (by == "length") {
    config.level.by = LevelBy::length;
    config.level.length = level.u32("length", 0);
    config.level.levels = 2;
  } else if (by == "rules") {
    config.level.by = LevelBy::rules;
    const Napi::Value table = level.value("table");
    if (!table.IsTypedArray()) level.fail("table", "a classifier's table is expected");
    const auto bytes = table.As<Napi::Uint8Array>();
    auto loaded = Classifier::load({bytes.Data(), bytes.ByteLength()});
    if (const std::string* fault = std::get_if<std::string>(&loaded)) throw CodedError("QST_ERR_CLASSIFIER_INVALID", *fault);
    config.rules = std::get<Classifier>(std::move(loaded));
  } else if (by != "none") {
    level.fail("by", "none, byte, length or rules is expected");
  }
}

MatchConfig read_match(const OptionReader& options) {
  constexpr uint64_t kDay = 86'400 * kSecond;
  MatchConfig config;
  config.ports = read_numbers<uint16_t>(options, "ports");
  config.framing = read_framing(options, config);
  if (options.has("labels")) {
    const OptionReader labels = options.object("labels");
    config.labels = {true, labels.u16("offset", 6), read_numbers<uint8_t>(labels, "request"), read_numbers<uint8_t>(labels, "response")};
  }
  read_level(options, config);
  config.iot = options.boolean("iot", false);
  config.first_level_only = options.boolean("firstLevelOnly", false);
  config.bursts = options.boolean("bursts", false);
  config.connections = options.u32("connections", config.connections, 1, 1u << 25);
  config.outstanding = options.u32("outstanding", config.connections * 2, 1, 1u << 26);
  config.idle = options.integer("idleNs", config.idle, 1, kDay);
  config.tail_over = options.integer("tailOverNs", 0, 0, kDay);
  config.tail_span = options.integer("tailSpanNs", config.tail_span, 1, kDay);
  config.tail_frames = options.u32("tailFrames", config.tail_frames, 1, 1u << 22);
  return config;
}

MonitorConfig read_monitor(const OptionReader& options) {
  MonitorConfig config;
  config.match = read_match(options);
  config.shards = options.u32("shards", 1, 1, 64);
  config.snapshot = options.u32("snapshot", config.snapshot, 64, 9216);
  config.ring = options.u32("ring", config.ring, 64, 1u << 20);
  if ((config.ring & (config.ring - 1)) != 0) options.fail("ring", "a power of two is expected");
  config.tick = options.integer("tickNs", kSecond, 1'000'000, 3600 * kSecond);
  config.ticks_per_interval = options.u32("ticksPerInterval", 60, 1);
  return config;
}

uint64_t missed_by(Device& device) {
  uint64_t missed = 0;
  for (const auto& [name, count] : device.stats()) missed += name == "rx_missed" || name == "rx_no_packet" ? count : 0;
  return missed;
}

std::unique_ptr<Source> make_source(const OptionReader& options, const MonitorConfig& config, Watch& watch, ThreadHooks& hooks) {
  if (options.has("file")) return std::make_unique<FileSource>(options.text("file", ""));
  if (options.has("interface")) return std::make_unique<InterfaceSource>(options.text("interface", ""), config.snapshot);
  const DeviceConfig device = read_device(options, 1);
  watch.memory = Mapping(Device::bytes(device));
  watch.device = Device::make(device, watch.memory.data());
  hooks = {eal_enter_thread, eal_leave_thread};
  Device& made = *watch.device;
  if (options.boolean("records", false)) return std::make_unique<MirrorSource>(made.port(), made.rx());
  return std::make_unique<PortSource>(made.port(), made.rx(), [&made] { return missed_by(made); });
}

Napi::Value create_monitor(const Info& info) {
  const OptionReader options(info[0], "createMonitor");
  auto watch = std::make_shared<Watch>();
  try {
    const MonitorConfig config = read_monitor(options);
    ThreadHooks hooks;
    auto source = make_source(options, config, *watch, hooks);
    std::random_device random;
    const std::array<uint64_t, 2> secret{uint64_t{random()} << 32 | random(), uint64_t{random()} << 32 | random()};
    watch->monitor = std::make_unique<Monitor>(config, std::move(source), secret, hooks);
  } catch (const std::bad_alloc&) {
    throw CodedError("QST_ERR_NO_MEMORY", "there is not enough memory for a table of so many connections");
  }
  const std::lock_guard lock(watches().mutex);
  watches().all[watches().next] = std::move(watch);
  return Napi::Number::New(info.Env(), watches().next++);
}

void put(Napi::Object& object, const char* name, uint64_t value) { object.Set(name, static_cast<double>(value)); }

/// IPv4 as a number, IPv6 as its 16 bytes in hexadecimal digits.
Napi::Value address_value(Napi::Env env, const IpAddress& address) {
  if (address.is_ipv4()) return Napi::Number::New(env, address.ipv4());
  char digits[33];
  std::snprintf(digits, sizeof(digits), "%016llx%016llx", static_cast<unsigned long long>(address.high),
                static_cast<unsigned long long>(address.low));
  return Napi::String::New(env, digits);
}

Napi::Value level_value(Napi::Env env, const LevelTick& level) {
  Napi::Object object = Napi::Object::New(env);
  put(object, "requests", level.requests);
  put(object, "responses", level.responses);
  put(object, "unanswered", level.unanswered);
  put(object, "leastNs", level.least_ns);
  put(object, "mostNs", level.most_ns);
  put(object, "sumNs", level.sum_ns);
  Napi::Float64Array cells = Napi::Float64Array::New(env, level.cells.size());
  std::copy(level.cells.begin(), level.cells.end(), cells.Data());
  object.Set("cells", cells);
  return object;
}

Napi::Value tail_value(Napi::Env env, const Tail& tail) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("timeNs", Napi::BigInt::New(env, tail.time));
  put(object, "latencyNs", tail.latency);
  put(object, "level", tail.level);
  object.Set("client", address_value(env, tail.client));
  object.Set("server", address_value(env, tail.server));
  put(object, "clientPort", tail.client_port);
  put(object, "serverPort", tail.server_port);
  Napi::Array frames = Napi::Array::New(env, tail.frames.size());
  for (uint32_t i = 0; i < tail.frames.size(); ++i) {
    const TailFrame& frame = tail.frames[i];
    Napi::Object item = Napi::Object::New(env);
    item.Set("timeNs", Napi::BigInt::New(env, frame.time));
    put(item, "length", frame.length);
    item.Set("bytes", Napi::Buffer<uint8_t>::Copy(env, frame.bytes.data(), frame.bytes.size()));
    frames[i] = item;
  }
  object.Set("frames", frames);
  return object;
}

Napi::Value burst_value(Napi::Env env, const Burst& burst) {
  Napi::Object object = Napi::Object::New(env);
  put(object, "bucket", burst.bucket);
  object.Set("client", address_value(env, burst.client));
  put(object, "requests", burst.requests);
  return object;
}

template <typename Item>
Napi::Array list_value(Napi::Env env, const std::vector<Item>& items, Napi::Value (*value)(Napi::Env, const Item&)) {
  Napi::Array list = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); ++i) list[i] = value(env, items[i]);
  return list;
}

Napi::Value tick_value(Napi::Env env, const Tick& tick) {
  Napi::Object object = Napi::Object::New(env);
  put(object, "number", tick.number);
  put(object, "startMs", tick.start / 1'000'000);
  put(object, "followed", tick.followed);
  Napi::Object counts = Napi::Object::New(env);
  for (size_t i = 0; i < kCounts; ++i) counts.Set(std::string(kCountNames[i]), static_cast<double>(tick.counts[i]));
  object.Set("counts", counts);
  object.Set("levels", list_value(env, tick.levels, level_value));
  object.Set("bursts", list_value(env, tick.bursts, burst_value));
  object.Set("tails", list_value(env, tick.tails, tail_value));
  return object;
}

Napi::Value monitor_take(const Info& info) {
  const Taken taken = find_watch(info)->monitor->take();
  Napi::Env env = info.Env();
  Napi::Object capture = Napi::Object::New(env);
  put(capture, "frames", taken.capture.frames);
  put(capture, "bytes", taken.capture.bytes);
  put(capture, "notTcp", taken.capture.not_tcp);
  put(capture, "fragments", taken.capture.fragments);
  put(capture, "cut", taken.capture.cut);
  put(capture, "otherPorts", taken.capture.other_ports);
  put(capture, "missed", taken.capture.missed);
  put(capture, "dropped", taken.capture.dropped);
  put(capture, "firstMs", taken.capture.first_ns / 1'000'000);
  put(capture, "lastMs", taken.capture.last_ns / 1'000'000);
  put(capture, "gapMaxNs", taken.capture.gap_max_ns);
  Napi::Object object = Napi::Object::New(env);
  object.Set("ticks", list_value(env, taken.ticks, tick_value));
  object.Set("capture", capture);
  object.Set("opened", Napi::Boolean::New(env, taken.opened));
  object.Set("connected", Napi::Boolean::New(env, taken.connected));
  object.Set("ended", Napi::Boolean::New(env, taken.ended));
  object.Set("fault", Napi::String::New(env, taken.fault));
  return object;
}

Napi::Value monitor_stop(const Info& info) {
  find_watch(info)->monitor->stop();
  return info.Env().Undefined();
}

Napi::Value destroy_monitor(const Info& info) {
  const auto watch = find_watch(info);
  watch->monitor.reset();
  const std::lock_guard lock(watches().mutex);
  std::erase_if(watches().all, [&](const auto& entry) { return entry.second == watch; });
  return info.Env().Undefined();
}

/// No capturing thread outlives the libraries that it uses.
void stop_watches() {
  const std::lock_guard lock(watches().mutex);
  watches().all.clear();
}

template <Napi::Value (*Body)(const Info&)>
Napi::Value call(const Info& info) {
  return guarded(info, [&] { return Body(info); });
}

template <Napi::Value (*Body)(const Info&)>
void export_call(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<call<Body>>(env, name));
}

}  // namespace

void register_monitor(Napi::Env env, Napi::Object exports) {
  export_call<create_monitor>(env, exports, "createMonitor");
  export_call<monitor_take>(env, exports, "monitorTake");
  export_call<monitor_stop>(env, exports, "monitorStop");
  export_call<destroy_monitor>(env, exports, "destroyMonitor");
  static const bool told = (at_process_end(stop_watches), true);
  (void)told;
}

}  // namespace qstack::node
