// Control calls: what stack/native.ts describes, one function each.
//
// In: arguments from JavaScript, any thread. Out: calls on a StackInstance. No call here is made per packet or per
// message.
#include <cerrno>
#include <cstring>
#include <string_view>

#include "native/node/classify_calls.hh"
#include "native/node/control_values.hh"
#include "native/node/core_wait.hh"
#include "native/node/env_data.hh"
#include "native/node/huge_pages.hh"
#include "native/node/read_config.hh"
#include "native/node/read_policy.hh"
#include "native/node/registry.hh"
#include "native/node/touch_progress.hh"
#include "native/port/eal.hh"

namespace qstack::node {

namespace {

using Info = Napi::CallbackInfo;

uint32_t number_argument(const Info& info, size_t index, const char* name, uint32_t max = UINT32_MAX) {
  const double value = info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : -1;
  if (!(value >= 0 && value <= max) || value != static_cast<double>(static_cast<uint32_t>(value))) {
    throw CodedError("QST_ERR_NATIVE_OPTION",
                     std::string(name) + ": an integer from 0 to " + std::to_string(max) + " is expected");
  }
  return static_cast<uint32_t>(value);
}

std::shared_ptr<StackInstance> stack_argument(const Info& info) {
  return find_instance(number_argument(info, 0, "stack"));
}

uint32_t app_argument(const Info& info, const StackInstance& instance) {
  return number_argument(info, 1, "app", instance.config().arena.apps - 1);
}

Napi::Value start(const Info& info) {
  const OptionReader options(info[0], "startEal");
  EalOptions eal;
  eal.hugepages = options.boolean("hugepages", false);
  eal.memory_mib = options.u32("memoryMb", eal.memory_mib, 16, 1u << 20);
  if (options.has("pci")) {
    const auto devices = options.value("pci").As<Napi::Array>();
    for (uint32_t i = 0; i < devices.Length(); ++i) eal.pci_devices.push_back(devices.Get(i).ToString());
  }
  try {
    start_eal(eal);
  } catch (const std::runtime_error& error) {
    throw CodedError("QST_ERR_EAL", error.what());
  }
  return info.Env().Undefined();
}

std::string of_all(const ArenaConfig& arena, uint64_t of_each) { return std::to_string(arena.stacks * of_each); }

Napi::Value create_stack(const Info& info) {
  const InstanceConfig config = read_stack(OptionReader(info[0], "createStack"));
  try {
    return Napi::Number::New(info.Env(), add_instance(std::make_shared<StackInstance>(config, touch_progress(info, 1))));
  } catch (const CodedError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw CodedError("QST_ERR_NO_MEMORY", "there is not enough memory for " +
                                              of_all(config.arena, config.stack.tcp.connections) + " connections and " +
                                              of_all(config.arena, config.arena.rx_packets + config.arena.tx_packets) +
                                              " packets");
  } catch (const std::length_error& error) {
    throw CodedError("QST_ERR_NO_MEMORY", error.what());
  } catch (const std::exception& error) {
    throw CodedError("QST_ERR_DEVICE", error.what());
  }
}

Napi::Value attach_arena(const Info& info) {
  const std::shared_ptr<StackInstance> instance = stack_argument(info);
  auto& arenas = env_data(info.Env()).arenas;
  const uint32_t id = number_argument(info, 0, "stack");
  const auto found = arenas.find(id);
  if (found != arenas.end()) return found->second.Value();
  instance->keep_arena();
  const Arena& arena = instance->arena();
  const Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(info.Env(), arena.base(), arena.plan().bytes);
  arenas[id] = Napi::Persistent(buffer);
  return buffer;
}

Napi::Value listen(const Info& info) {
  const std::shared_ptr<StackInstance> instance = stack_argument(info);
  return Napi::Number::New(info.Env(), instance->listen(read_listener(OptionReader(info[1], "listen"))));
}

Napi::Value unlisten(const Info& info) {
  stack_argument(info)->unlisten(static_cast<uint16_t>(number_argument(info, 1, "listener", UINT16_MAX)));
  return info.Env().Undefined();
}

Napi::Value numbers_value(Napi::Env env, std::span<const uint64_t> numbers) {
  Napi::Array out = Napi::Array::New(env, numbers.size());
  for (uint32_t i = 0; i < numbers.size(); ++i) out.Set(i, static_cast<double>(numbers[i]));
  return out;
}

Napi::Value classify(const Info& info) {
  const std::shared_ptr<StackInstance> instance = stack_argument(info);
  return numbers_value(info.Env(), instance->classify(classifier_argument(info, 1)));
}

Napi::Value rule_hits(const Info& info) { return numbers_value(info.Env(), stack_argument(info)->rule_hits()); }

Napi::Value schedule(const Info& info) {
  const std::shared_ptr<StackInstance> instance = stack_argument(info);
  instance->schedule(read_policy(OptionReader(info[1], "schedule"), instance->config().arena.levels));
  return info.Env().Undefined();
}

Napi::Value run(const Info& info) {
  const OptionReader options(info[1], "run");
  stack_argument(info)->run(read_run(options), read_cores(options));
  return info.Env().Undefined();
}

Napi::Value pin_thread(const Info& info) {
  const OptionReader options(info[0], "pinThread");
  if (!set_own_affinity(read_cores(options))) options.fail("cores", std::string(strerror(errno)));
  return info.Env().Undefined();
}

Napi::Value stop(const Info& info) {
  stack_argument(info)->stop();
  return info.Env().Undefined();
}

Napi::Value destroy(const Info& info) {
  const uint32_t id = number_argument(info, 0, "stack");
  remove_instance(id);
  return info.Env().Undefined();
}

Napi::Value turn(const Info& info) {
  return Napi::Number::New(info.Env(), stack_argument(info)->turn(monotonic_now()));
}

Napi::Value counters(const Info& info) { return counters_value(info.Env(), stack_argument(info)->counters()); }

Napi::Value sojourn(const Info& info) {
  const std::shared_ptr<StackInstance> instance = stack_argument(info);
  return sojourn_value(info.Env(), instance->sojourn(), instance->config().arena.levels);
}

Napi::Value hiccups(const Info& info) {
  return hiccups_value(info.Env(), stack_argument(info)->hiccups(info[1].ToBoolean()));
}

Napi::Value reclaim_app(const Info& info) {
  const std::shared_ptr<StackInstance> instance = stack_argument(info);
  return Napi::Number::New(info.Env(), instance->reclaim(app_argument(info, *instance)));
}

Napi::Value wake(const Info& info) {
  const std::shared_ptr<StackInstance> instance = stack_argument(info);
  instance->wake(app_argument(info, *instance));
  return info.Env().Undefined();
}

Napi::Value advise(const Info& info) {
  if (!info[0].IsArrayBuffer()) throw CodedError("QST_ERR_NATIVE_OPTION", "adviseHugePages: an ArrayBuffer is expected");
  Napi::ArrayBuffer buffer = info[0].As<Napi::ArrayBuffer>();
  advise_huge_pages({static_cast<uint8_t*>(buffer.Data()), buffer.ByteLength()});
  return info.Env().Undefined();
}

Napi::Value stamp(const Info& info) { return Napi::Number::New(info.Env(), to_stamp(monotonic_now())); }

Napi::Value waited(const Info& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(waited_for_core()) / 1'000);
}

template <Napi::Value (*function)(const Info&)>
void add(Napi::Object exports, const char* name) {
  const auto call = [](const Info& info) { return guarded(info, [&info] { return function(info); }); };
  exports.Set(name, Napi::Function::New(exports.Env(), call, name));
}

}  // namespace

void register_control(Napi::Env env, Napi::Object exports) {
  exports.Set("abiVersion", abi::kAbiVersion);
  Napi::Array names = Napi::Array::New(env);
  for (uint32_t i = 0; i < kCounters; ++i) names.Set(i, std::string(kCounterNames[i]));
  exports.Set("counterNames", names);
  add<start>(exports, "startEal");
  add<create_stack>(exports, "createStack");
  add<attach_arena>(exports, "attachArena");
  add<listen>(exports, "listen");
  add<unlisten>(exports, "unlisten");
  add<classify>(exports, "classify");
  add<rule_hits>(exports, "ruleHits");
  add<schedule>(exports, "schedule");
  add<run>(exports, "run");
  add<pin_thread>(exports, "pinThread");
  add<stop>(exports, "stop");
  add<destroy>(exports, "destroy");
  add<turn>(exports, "turn");
  add<counters>(exports, "counters");
  add<sojourn>(exports, "sojourn");
  add<hiccups>(exports, "hiccups");
  add<reclaim_app>(exports, "reclaimApp");
  add<wake>(exports, "wake");
  add<advise>(exports, "adviseHugePages");
  add<stamp>(exports, "stamp");
  add<waited>(exports, "waitedForCoreUs");
}

}  // namespace qstack::node
