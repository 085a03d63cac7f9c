// The Redis client for JavaScript: control calls only, see stack/redis-native.ts. Commands and completions pass by the
// rings in its block; the poller of the app thread polls it.
//
// In: servers and templates. Out: an object with the block as an ArrayBuffer. Invariant: the block lives as long as the
// ArrayBuffer or the client, whichever goes last; after close() nothing polls it. The object keeps itself until then.
#include <napi.h>

#include "native/node/env_data.hh"
#include "native/node/options.hh"
#include "native/node/poll_source.hh"
#include "native/node/poller.hh"
#include "native/node/read_policy.hh"
#include "native/node/registry.hh"
#include "native/redis/client.hh"

namespace qstack::node {

namespace {

using redis::Argument;
using redis::Client;
using redis::ClientConfig;
using redis::Part;

constexpr uint32_t kPartsMax = 64;

CodedError option_error(const std::string& sentence) { return CodedError("QST_ERR_NATIVE_OPTION", sentence); }

class Source : public PollSource {
 public:
  explicit Source(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  uint32_t poll(Nanos now) override { return client_->poll(now); }
  bool busy() const override { return client_->busy(); }
  int wait_fd() const override { return client_->epoll_fd(); }
  Nanos deadline() const override { return client_->deadline(); }

 private:
  std::shared_ptr<Client> client_;
};

redis::Address read_address(const OptionReader& options) {
  redis::Address address;
  address.path = options.text("path", "");
  address.host = options.text("host", "");
  address.port = options.u16("port", 0);
  return address;
}

ClientConfig read_config(const OptionReader& options) {
  ClientConfig config;
  const Napi::Value servers = options.value("servers");
  if (!servers.IsArray()) options.fail("servers", "an array is expected");
  const auto list = servers.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    redis::ShardConfig shard;
    shard.address = read_address(OptionReader(list.Get(i), "createRedis: servers"));
    shard.inflight_low_max = options.u32("inflightLowMax", shard.inflight_low_max, 1, 1u << 20);
    shard.inflight_low_min = std::min(shard.inflight_low_min, shard.inflight_low_max);
    config.shards.push_back(shard);
  }
  config.cluster = options.boolean("cluster", false);
  config.levels = options.u32("levels", config.levels, 1, kLevelsMax);
  if (options.has("policy")) config.policy = read_policy(options.object("policy"), config.levels);
  config.commands = options.u32("commands", config.commands, 16, 1u << 20);
  config.scratch_bytes = options.u32("scratchBytes", config.scratch_bytes, 4096, 1u << 26);
  config.command_places[0] = config.reply_places[0] = config.commands;
  return config;
}

std::span<const uint8_t> arena_of(StackInstance& instance) {
  const Arena& arena = instance.arena();
  return {arena.base(), arena.plan().bytes};
}

/// A part is a string, or a number: 0 to 3 name an argument, -1 the peer, -2 the number.
Part read_part(const Napi::Value& value) {
  if (value.IsString()) return {Part::Kind::literal, 0, value.As<Napi::String>().Utf8Value()};
  const int32_t hole = value.IsNumber() ? value.As<Napi::Number>().Int32Value() : INT32_MAX;
  if (hole == -1) return {Part::Kind::peer, 0, {}};
  if (hole == -2) return {Part::Kind::number, 0, {}};
  if (hole < 0 || hole >= static_cast<int32_t>(redis::kArgumentsMax))
    throw option_error("addTemplate: a part is a string, an argument 0 to 3, -1 or -2");
  return {Part::Kind::argument, static_cast<uint8_t>(hole), {}};
}

Argument read_argument(const Napi::Value& value) {
  if (!value.IsArray()) throw option_error("addTemplate: an argument is an array of parts");
  Argument argument;
  const auto parts = value.As<Napi::Array>();
  for (uint32_t i = 0; i < parts.Length() && i < kPartsMax; ++i) argument.push_back(read_part(parts.Get(i)));
  return argument;
}

class RedisObject : public Napi::ObjectWrap<RedisObject> {
 public:
  explicit RedisObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RedisObject>(info) {}

  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "NativeRedis",
        {InstanceMethod<&RedisObject::add_template>("addTemplate"), InstanceMethod<&RedisObject::set_topology>("setTopology"),
         InstanceMethod<&RedisObject::schedule>("schedule"), InstanceMethod<&RedisObject::attach>("attach"),
         InstanceMethod<&RedisObject::take>("take"),
         InstanceMethod<&RedisObject::poll>("poll"), InstanceMethod<&RedisObject::stats>("stats"),
         InstanceMethod<&RedisObject::close>("close")});
  }

  void adopt(Napi::Object self, std::shared_ptr<Client> client, std::shared_ptr<StackInstance> instance,
             uint32_t levels) {
    client_ = std::move(client);
    levels_ = levels;
    instance_ = std::move(instance);
    self.Set("block", make_block(self.Env()));
    self.Set("layout", make_layout(self.Env()));
    Ref();
  }

 private:
  Napi::Value make_block(Napi::Env env);
  Napi::Value make_layout(Napi::Env env);
  Client& client() const {
    if (client_ == nullptr) throw CodedError("QST_ERR_NATIVE_OPTION", "the Redis client is closed");
    return *client_;
  }

  Napi::Value add_template(const Napi::CallbackInfo& info);
  Napi::Value set_topology(const Napi::CallbackInfo& info);
  Napi::Value schedule(const Napi::CallbackInfo& info);
  Napi::Value attach(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value poll(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  void detach();

  std::shared_ptr<Client> client_;
  std::shared_ptr<StackInstance> instance_;  ///< keeps the arena that commands point into
  uint32_t levels_ = 0;
  std::unique_ptr<Source> source_;
  Napi::ObjectReference poller_;
};

Napi::Value RedisObject::make_block(Napi::Env env) {
  auto* const held = new std::shared_ptr<Client>(client_);
  return Napi::ArrayBuffer::New(
      env, client_->block(), client_->layout().bytes,
      [](Napi::Env, void*, std::shared_ptr<Client>* kept) { delete kept; }, held);
}

Napi::Value ring_place(Napi::Env env, uint32_t header, uint32_t records, uint32_t capacity, uint32_t record_bytes) {
  Napi::Object place = Napi::Object::New(env);
  place.Set("headerAt", header);
  place.Set("recordsAt", records);
  place.Set("capacity", capacity);
  place.Set("recordBytes", record_bytes);
  return place;
}

Napi::Value RedisObject::make_layout(Napi::Env env) {
  using redis::BlockLayout;
  const BlockLayout& layout = client_->layout();
  Napi::Object out = Napi::Object::New(env);
  out.Set("commands", ring_place(env, BlockLayout::kCommandHeader, layout.commands_at, layout.command_capacity,
                                 sizeof(abi::RedisCommand)));
  out.Set("completions", ring_place(env, BlockLayout::kCompletionHeader, layout.completions_at,
                                    layout.completion_capacity, sizeof(abi::RedisCompletion)));
  out.Set("releases", ring_place(env, BlockLayout::kReleaseHeader, layout.releases_at, layout.release_capacity, 4));
  out.Set("scratchAt", layout.scratch_at);
  out.Set("scratchBytes", layout.scratch_bytes);
  return out;
}

Napi::Value RedisObject::add_template(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    if (!info[0].IsArray() || !info[1].IsNumber()) throw option_error("addTemplate: arguments and a key are expected");
    std::vector<Argument> arguments;
    const auto list = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length() && i < kPartsMax; ++i) arguments.push_back(read_argument(list.Get(i)));
    const uint32_t number = client().add_template(arguments, info[1].As<Napi::Number>().Uint32Value());
    if (number == 0) throw option_error("addTemplate: too many templates, or the key is no argument");
    return Napi::Number::New(info.Env(), number);
  });
}

Napi::Value RedisObject::set_topology(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const bool typed = info[1].IsTypedArray() && info[1].As<Napi::TypedArray>().TypedArrayType() == napi_uint16_array;
    if (!info[0].IsArray() || !typed) throw option_error("setTopology: servers and a Uint16Array are expected");
    std::vector<redis::Address> servers;
    const auto list = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i)
      servers.push_back(read_address(OptionReader(list.Get(i), "setTopology: servers")));
    const auto slots = info[1].As<Napi::Uint16Array>();
    if (!client().set_topology(servers, {slots.Data(), slots.ElementLength()}))
      throw option_error("setTopology: numeric addresses and 16384 numbers of servers are expected");
    return info.Env().Undefined();
  });
}

Napi::Value RedisObject::schedule(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    client().schedule(read_policy(OptionReader(info[0], "schedule"), levels_));
    return info.Env().Undefined();
  });
}

Napi::Value RedisObject::attach(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    client();
    Poller& poller = poller_of(info[0]);
    detach();
    source_ = std::make_unique<Source>(client_);
    poller.add_source(*source_);
    poller_ = Napi::Persistent(info[0].As<Napi::Object>());
    return info.Env().Undefined();
  });
}

/// A poller that is closed has let its sources go already.
void RedisObject::detach() {
  if (source_ == nullptr) return;
  try {
    poller_of(poller_.Value()).remove_source(*source_);
  } catch (const CodedError&) {
  }
  source_.reset();
  poller_.Reset();
}

Napi::Value RedisObject::take(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    client().take(monotonic_now());
    return info.Env().Undefined();
  });
}

Napi::Value RedisObject::poll(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value { return Napi::Number::New(info.Env(), client().poll(monotonic_now())); });
}

Napi::Value shard_stats(Napi::Env env, const redis::Shard& shard) {
  const redis::ShardStats& stats = shard.stats();
  Napi::Object out = Napi::Object::New(env);
  const auto put = [&out](const char* name, uint64_t value) { out.Set(name, static_cast<double>(value)); };
  put("sent", stats.sent);
  put("replied", stats.replied);
  put("errors", stats.errors);
  put("moved", stats.moved);
  put("asked", stats.asked);
  put("retried", stats.retried);
  put("lost", stats.lost);
  put("timeouts", stats.timeouts);
  put("discarded", stats.discarded);
  put("tooBig", stats.too_big);
  put("connects", stats.connects);
  put("disconnects", stats.disconnects);
  put("bytesIn", stats.bytes_in);
  put("bytesOut", stats.bytes_out);
  put("inFlight", shard.in_flight());
  put("lastError", static_cast<uint64_t>(shard.last_error()));
  out.Set("address", shard.address().text());
  out.Set("connected", shard.connected());
  Napi::Array waiting = Napi::Array::New(env, kLevelsMax);
  for (uint8_t level = 0; level < kLevelsMax; ++level) waiting.Set(level, shard.waiting(level));
  out.Set("waiting", waiting);
  return out;
}

Napi::Value RedisObject::stats(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Object out = Napi::Object::New(info.Env());
    Napi::Array servers = Napi::Array::New(info.Env(), client().shards());
    for (uint32_t i = 0; i < client().shards(); ++i) servers.Set(i, shard_stats(info.Env(), client().shard(i)));
    out.Set("servers", servers);
    out.Set("refused", static_cast<double>(client().refused()));
    out.Set("placesInUse", client().places_in_use());
    return out;
  });
}

Napi::Value RedisObject::close(const Napi::CallbackInfo& info) {
  if (client_ == nullptr) return info.Env().Undefined();
  detach();
  client_->close();
  client_.reset();
  instance_.reset();
  Unref();
  return info.Env().Undefined();
}

Napi::Value create(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const OptionReader options(info[0], "createRedis");
    std::shared_ptr<StackInstance> instance;
    if (options.has("stack")) instance = find_instance(static_cast<uint32_t>(options.required("stack", 1, UINT32_MAX)));
    if (instance != nullptr) instance->keep_arena();
    const ClientConfig config = read_config(options);
    auto made = Client::create(config, instance ? arena_of(*instance) : std::span<const uint8_t>{});
    if (const auto* fault = std::get_if<std::string>(&made)) throw option_error("createRedis: " + *fault);
    Napi::Object object = env_data(info.Env()).redis_class.New({});
    RedisObject::Unwrap(object)->adopt(object, std::move(std::get<std::unique_ptr<Client>>(made)), instance, config.levels);
    return object;
  });
}

}  // namespace

void register_redis(Napi::Env env, Napi::Object exports) {
  env_data(env).redis_class = Napi::Persistent(RedisObject::define(env));
  exports.Set("createRedis", Napi::Function::New(env, create, "createRedis"));
}

}  // namespace qstack::node
