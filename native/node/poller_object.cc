// NativePoller, the JavaScript object: what stack/native.ts says of it.
//
// In: createPoller(options). Out: an object that owns a Poller until close(). The object keeps itself alive until then:
// a poller that nobody refers to any more still polls.
#include "native/node/control_values.hh"
#include "native/node/env_data.hh"
#include "native/node/poller.hh"
#include "native/node/registry.hh"

namespace qstack::node {

namespace {

class PollerObject : public Napi::ObjectWrap<PollerObject> {
 public:
  explicit PollerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PollerObject>(info) {}

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativePoller",
                       {InstanceMethod<&PollerObject::kick>("kick"), InstanceMethod<&PollerObject::stats>("stats"),
                        InstanceMethod<&PollerObject::ref>("ref"), InstanceMethod<&PollerObject::unref>("unref"),
                        InstanceMethod<&PollerObject::close>("close")});
  }

  void adopt(Poller* poller) {
    poller_ = poller;
    poller->on_close([this] {
      poller_ = nullptr;
      Unref();
    });
    Ref();
  }
  Poller* poller() const { return poller_; }

 private:
  Napi::Value kick(const Napi::CallbackInfo& info) {
    if (poller_ != nullptr) poller_->kick();
    return info.Env().Undefined();
  }
  Napi::Value ref(const Napi::CallbackInfo& info) {
    if (poller_ != nullptr) poller_->set_ref(true);
    return info.Env().Undefined();
  }
  Napi::Value unref(const Napi::CallbackInfo& info) {
    if (poller_ != nullptr) poller_->set_ref(false);
    return info.Env().Undefined();
  }
  Napi::Value close(const Napi::CallbackInfo& info) {
    if (poller_ != nullptr) poller_->close();
    return info.Env().Undefined();
  }
  Napi::Value stats(const Napi::CallbackInfo& info);

  Poller* poller_ = nullptr;
};

Napi::Value PollerObject::stats(const Napi::CallbackInfo& info) {
  const PollerStats stats = poller_ == nullptr ? PollerStats{} : poller_->stats();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("turns", static_cast<double>(stats.turns));
  out.Set("entered", static_cast<double>(stats.entered));
  out.Set("sleeps", static_cast<double>(stats.sleeps));
  out.Set("wakeups", static_cast<double>(stats.wakeups));
  out.Set("stackTurns", static_cast<double>(stats.stack_turns));
  out.Set("hiccups", hiccups_value(info.Env(), poller_ == nullptr ? HiccupProbe::Summary{} : poller_->hiccups()));
  return out;
}

PollerConfig read_config(const OptionReader& options) {
  PollerConfig config;
  config.instance = find_instance(static_cast<uint32_t>(options.required("stack", 1, UINT32_MAX)));
  config.app = static_cast<uint32_t>(options.required("app", 0, config.instance->config().arena.apps - 1));
  config.drive = options.boolean("drive", false);
  config.linger = options.integer("lingerUs", 75, 0, 1'000'000) * 1000;
  return config;
}

Napi::Value create_poller(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const OptionReader options(info[0], "createPoller");
    if (!options.value("onTurn").IsFunction()) options.fail("onTurn", "a function is expected");
    const PollerConfig config = read_config(options);
    Napi::Object object = env_data(info.Env()).poller_class.New({});
    PollerObject::Unwrap(object)->adopt(
        Poller::start(info.Env(), config, options.value("onTurn").As<Napi::Function>()));
    return object;
  });
}

}  // namespace

Poller& poller_of(const Napi::Value& value) {
  const bool right =
      value.IsObject() && value.As<Napi::Object>().InstanceOf(env_data(value.Env()).poller_class.Value());
  Poller* const poller = right ? PollerObject::Unwrap(value.As<Napi::Object>())->poller() : nullptr;
  if (poller == nullptr) throw CodedError("QST_ERR_NATIVE_OPTION", "an open poller is expected");
  return *poller;
}

void register_poller(Napi::Env env, Napi::Object exports) {
  env_data(env).poller_class = Napi::Persistent(PollerObject::define(env));
  exports.Set("createPoller", Napi::Function::New(env, create_poller, "createPoller"));
}

}  // namespace qstack::node
