// Poller: lets an app thread's JavaScript run when its rings, or other sources, have something, and sleep when not.
//
// In: the rings of one app with each stack, poll sources, deadlines and kicks. Out: one entry into JavaScript per turn of
// libuv that has a reason. While there is work an idle handle keeps libuv from blocking; then it lingers; then it says
// in AppLine that it waits, looks at the rings once more, and blocks until the eventfd, a source's descriptor or a
// timer wakes it. With `drive` it takes the stack's turns as well, and frames wake it where the port can. Invariant: between "waits"
// and blocking nothing is missed (AppRings::publish is the other half). Used by the thread of its environment alone.
#pragma once

#include <napi.h>
#include <uv.h>

#include <functional>
#include <memory>
#include <vector>

#include "native/node/poll_source.hh"
#include "native/node/stack_instance.hh"

namespace qstack::node {

struct PollerConfig {
  std::shared_ptr<StackInstance> instance;
  uint32_t app = 0;
  bool drive = false;
  Nanos linger = 75'000;
};

struct PollerStats {
  uint64_t turns = 0, entered = 0, sleeps = 0, wakeups = 0, stack_turns = 0;
};

class Poller {
 public:
  /// Starts polling. It deletes itself after close(), when libuv has let its handles go.
  static Poller* start(Napi::Env env, const PollerConfig& config, const Napi::Function& on_turn);

  /// Called once, when close() begins, by whomever.
  void on_close(std::function<void()> tell) { tell_closed_ = std::move(tell); }
  /// No entry into JavaScript, and no poll of a source, after this.
  void close();
  void kick() { kicked_ = true; }
  void set_ref(bool ref);
  /// The source outlives the poller, or is removed before.
  void add_source(PollSource& source);
  void remove_source(PollSource& source);

  StackInstance& instance() { return *config_.instance; }
  uint32_t app() const { return config_.app; }
  const PollerStats& stats() const { return stats_; }
  HiccupProbe::Summary hiccups() const { return probe_.summary(); }

 private:
  struct Source {
    PollSource* source;
    uv_poll_t* handle;  ///< null without a descriptor
  };

  Poller(Napi::Env env, const PollerConfig& config, const Napi::Function& on_turn);
  ~Poller();
  void open_handles();
  template <typename Handle>
  void close_handle(Handle& handle);
  static void on_closed(uv_handle_t* handle);
  static void on_cleanup(napi_async_cleanup_hook_handle handle, void* self);

  void prepare();
  void check();
  bool must_stay_awake(Nanos now);
  bool try_to_sleep(Nanos now);
  bool listen(Nanos now);
  void arm_timer(Nanos now);
  void leave_sleep();
  bool drive(Nanos now);
  void watch_port();
  Port* port() const { return config_.instance->destroyed() ? nullptr : port_; }
  uint32_t poll_sources(Nanos now);
  bool rings_ready() const;
  bool rings_ready(uint32_t stack) const;
  bool ring_ready(uint32_t stack, uint32_t index) const;
  bool deadline_due(Nanos now) const;
  void enter(Nanos now);
  void failed();

  Napi::Env env_;
  PollerConfig config_;
  Arena& arena_;
  abi::AppLine& line_;
  Napi::FunctionReference on_turn_;
  Napi::AsyncContext context_;
  std::vector<Source> sources_;
  std::function<void()> tell_closed_;
  PollerStats stats_;
  HiccupProbe probe_;
  Nanos gave_core_ = 0;
  Nanos last_work_ = 0;
  uint32_t sleep_number_ = 0;
  bool more_ = false;   ///< JavaScript wants to come back at once
  bool kicked_ = true;  ///< enter JavaScript once at the start
  bool asleep_ = false;
  bool turn_was_idle_ = false;
  bool closing_ = false;
  uint32_t open_handles_ = 0;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;

  uv_loop_t* loop_ = nullptr;
  uv_prepare_t prepare_{};
  uv_check_t check_{};
  uv_idle_t idle_{};
  uv_timer_t timer_{};
  uv_poll_t wake_{};
  uv_poll_t frames_{};     ///< of the port of the stack that it drives
  Port* port_ = nullptr;   ///< null: it does not wake
};

/// The poller behind a NativePoller object; throws CodedError when the value is none, or is closed.
Poller& poller_of(const Napi::Value& value);

}  // namespace qstack::node
