#include "native/node/poller.hh"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace qstack::node {

namespace {

/// A driving poller is the stack's timer as well, and not every device can wake it.
constexpr Nanos kDriveNap = 1'000'000;
constexpr Nanos kDriveLinger = 10'000'000;

bool reached(Stamp now, Stamp at) { return static_cast<int32_t>(now - at) >= 0; }

template <typename Handle>
Poller* self_of(Handle* handle) {
  return static_cast<Poller*>(handle->data);
}

}  // namespace

Poller* Poller::start(Napi::Env env, const PollerConfig& config, const Napi::Function& on_turn) {
  config.instance->attach_app(config.app);
  if (config.drive) config.instance->begin_driving(config.app);
  auto* const poller = new Poller(env, config, on_turn);
  poller->open_handles();
  napi_add_async_cleanup_hook(env, on_cleanup, poller, &poller->cleanup_);
  return poller;
}

Poller::Poller(Napi::Env env, const PollerConfig& config, const Napi::Function& on_turn)
    : env_(env),
      config_(config),
      arena_(config.instance->arena()),
      line_(arena_.line(config.app)),
      on_turn_(Napi::Persistent(on_turn)),
      context_(env, "qstack.poller") {
  config_.instance->keep_arena();
  if (config_.drive) config_.linger = std::max(config_.linger, kDriveLinger);
}

Poller::~Poller() {
  if (cleanup_ != nullptr) napi_remove_async_cleanup_hook(cleanup_);
}

void Poller::open_handles() {
  napi_get_uv_event_loop(env_, &loop_);
  uv_prepare_init(loop_, &prepare_);
  uv_check_init(loop_, &check_);
  uv_idle_init(loop_, &idle_);
  uv_timer_init(loop_, &timer_);
  uv_poll_init(loop_, &wake_, config_.instance->wake_fd(config_.app));
  prepare_.data = check_.data = idle_.data = timer_.data = wake_.data = this;
  open_handles_ = 5;
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { self_of(handle)->prepare(); });
  uv_check_start(&check_, [](uv_check_t* handle) { self_of(handle)->check(); });
  uv_poll_start(&wake_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    Poller* const self = self_of(handle);
    uint64_t count;
    [[maybe_unused]] const ssize_t n = read(self->config_.instance->wake_fd(self->config_.app), &count, sizeof(count));
    ++self->stats_.wakeups;
  });
  if (config_.drive) watch_port();
}

void Poller::watch_port() {
  Port& port = config_.instance->port(config_.app);
  if (port.wake_fd() < 0) return;
  port_ = &port;
  uv_poll_init(loop_, &frames_, port.wake_fd());
  frames_.data = this;
  ++open_handles_;
  // What is told too late to end a sleep must not be told again and again.
  uv_poll_start(&frames_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    if (Port* const waking = self_of(handle)->port(); waking != nullptr) waking->disarm();
  });
}

template <typename Handle>
void Poller::close_handle(Handle& handle) {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle), on_closed);
}

void Poller::close() {
  if (closing_) return;
  closing_ = true;
  if (tell_closed_) tell_closed_();
  while (!sources_.empty()) remove_source(*sources_.back().source);
  leave_sleep();
  if (config_.drive) config_.instance->end_driving(config_.app);
  on_turn_.Reset();
  close_handle(prepare_);
  close_handle(check_);
  close_handle(idle_);
  close_handle(timer_);
  close_handle(wake_);
  if (port_ != nullptr) close_handle(frames_);
}

void Poller::on_closed(uv_handle_t* handle) {
  Poller* const self = self_of(handle);
  if (--self->open_handles_ == 0) delete self;
}

void Poller::on_cleanup(napi_async_cleanup_hook_handle, void* self) { static_cast<Poller*>(self)->close(); }

void Poller::set_ref(bool ref) {
  if (closing_) return;
  for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&prepare_), reinterpret_cast<uv_handle_t*>(&check_),
                              reinterpret_cast<uv_handle_t*>(&idle_), reinterpret_cast<uv_handle_t*>(&timer_),
                              reinterpret_cast<uv_handle_t*>(&wake_)}) {
    ref ? uv_ref(handle) : uv_unref(handle);
  }
  if (port_ != nullptr) {
    auto* const frames = reinterpret_cast<uv_handle_t*>(&frames_);
    ref ? uv_ref(frames) : uv_unref(frames);
  }
  for (const Source& source : sources_) {
    if (source.handle == nullptr) continue;
    ref ? uv_ref(reinterpret_cast<uv_handle_t*>(source.handle))
        : uv_unref(reinterpret_cast<uv_handle_t*>(source.handle));
  }
}

void Poller::add_source(PollSource& source) {
  uv_poll_t* handle = nullptr;
  if (source.wait_fd() >= 0) {
    handle = new uv_poll_t;
    uv_poll_init(loop_, handle, source.wait_fd());
    uv_poll_start(handle, UV_READABLE, [](uv_poll_t*, int, int) {});
    if (!uv_has_ref(reinterpret_cast<uv_handle_t*>(&prepare_))) uv_unref(reinterpret_cast<uv_handle_t*>(handle));
  }
  sources_.push_back({&source, handle});
}

void Poller::remove_source(PollSource& source) {
  const auto found =
      std::find_if(sources_.begin(), sources_.end(), [&](const Source& other) { return other.source == &source; });
  if (found == sources_.end()) return;
  if (found->handle != nullptr) {
    uv_close(reinterpret_cast<uv_handle_t*>(found->handle),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  }
  sources_.erase(found);
}

// Before libuv looks for I/O: block, or not.
void Poller::prepare() {
  const Nanos now = monotonic_now();
  if (!must_stay_awake(now) && try_to_sleep(now)) {
    uv_idle_stop(&idle_);
    return;
  }
  if (turn_was_idle_ || now - gave_core_ > kCoreQuantum) {
    sched_yield();
    gave_core_ = monotonic_now();
  }
  uv_idle_start(&idle_, [](uv_idle_t*) {});
}

bool Poller::must_stay_awake(Nanos now) {
  if (more_ || kicked_ || now - last_work_ < config_.linger || deadline_due(now)) return true;
  return std::any_of(sources_.begin(), sources_.end(), [](const Source& other) { return other.source->busy(); });
}

// Dekker: we say that we wait and then read the tails, the stack publishes tails and then reads `waiting`.
bool Poller::try_to_sleep(Nanos now) {
  if (++sleep_number_ == 0) sleep_number_ = 1;
  store_relaxed(line_.waiting, sleep_number_);
  full_fence();
  asleep_ = true;
  if (listen(now) || rings_ready()) {
    leave_sleep();
    return false;
  }
  ++stats_.sleeps;
  arm_timer(now);
  return true;
}

/// From now on frames wake. True: some came before.
bool Poller::listen(Nanos now) {
  if (port() == nullptr) return false;
  port()->arm();
  if (!drive(now)) return false;
  last_work_ = now;
  return true;
}

void Poller::arm_timer(Nanos now) {
  Nanos at = 0;
  if (config_.drive) at = port() == nullptr ? now + kDriveNap : config_.instance->next_deadline(config_.app, now);
  const auto earlier = [&at](Nanos other) {
    if (other != 0 && (at == 0 || other < at)) at = other;
  };
  if (line_.deadline_set != 0) {
    const auto left = static_cast<int32_t>(line_.deadline - to_stamp(now));
    earlier(now + (static_cast<Nanos>(std::max(left, 1)) << 6));
  }
  for (const Source& other : sources_) earlier(other.source->deadline());
  if (at == 0) return;
  uv_update_time(loop_);
  const Nanos left = at > now ? at - now : 0;
  uv_timer_start(
      &timer_, [](uv_timer_t*) {}, (left + 999'999) / 1'000'000, 0);
}

void Poller::leave_sleep() {
  if (!asleep_) return;
  asleep_ = false;
  store_relaxed(line_.waiting, 0u);
  if (port() != nullptr) port()->disarm();
  uv_timer_stop(&timer_);
  probe_.interrupt();
}

// After libuv has served its sockets: our turn.
void Poller::check() {
  leave_sleep();
  const Nanos now = monotonic_now();
  ++stats_.turns;
  store_relaxed(line_.turns, static_cast<uint32_t>(stats_.turns));
  const bool driven = drive(now);
  const bool woken = config_.instance->woken(config_.app);
  const bool reason = poll_sources(now) != 0 || woken || more_ || kicked_ || rings_ready() || deadline_due(now);
  turn_was_idle_ = !driven && !reason;
  if (turn_was_idle_) return probe_.idle(now);
  probe_.interrupt();
  last_work_ = now;
  if (!reason) return;
  enter(now);
  config_.instance->wake_stacks();  // for what JavaScript has published
  if (!closing_ && poll_sources(monotonic_now()) != 0) more_ = true;  // what came meanwhile waits for a turn
}

bool Poller::drive(Nanos now) {
  if (!config_.drive || config_.instance->destroyed()) return false;
  ++stats_.stack_turns;
  return config_.instance->drive(config_.app, now) != 0;
}

uint32_t Poller::poll_sources(Nanos now) {
  uint32_t events = 0;
  for (const Source& other : sources_) events += other.source->poll(now);
  return events;
}

bool Poller::ring_ready(uint32_t stack, uint32_t index) const {
  const abi::RingHeader& header = *arena_.ring<uint8_t>(stack, config_.app, index).header;
  return load_acquire(header.tail) != load_relaxed(header.head);
}

bool Poller::rings_ready() const {
  if (config_.instance->destroyed()) return false;
  for (uint32_t stack = 0; stack < arena_.config().stacks; ++stack) {
    if (rings_ready(stack)) return true;
  }
  return false;
}

bool Poller::rings_ready(uint32_t stack) const {
  const uint32_t quiet = line_.quiet_levels;
  for (uint32_t level = 0; level < arena_.config().levels; ++level) {
    if ((quiet & (1u << level)) == 0 && ring_ready(stack, abi::kRingEvent + level)) return true;
  }
  return line_.want_buffers != 0 && ring_ready(stack, abi::kRingEmpty);
}

bool Poller::deadline_due(Nanos now) const { return line_.deadline_set != 0 && reached(to_stamp(now), line_.deadline); }

void Poller::enter(Nanos now) {
  kicked_ = false;
  more_ = false;
  if (deadline_due(now)) store_relaxed(line_.deadline_set, 0u);
  store_relaxed(line_.stamp, to_stamp(now));
  ++stats_.entered;
  const Napi::HandleScope scope(env_);
  napi_value result;
  if (napi_make_callback(env_, context_, env_.Global(), on_turn_.Value(), 0, nullptr, &result) != napi_ok) return failed();
  more_ = napi_get_value_bool(env_, result, &more_) == napi_ok && more_;
}

// Not by Napi::Error: of a thread that is ended in the middle of a turn (process.exit() in a handler, terminate()) there is no
// exception that it could hold, and it would abort the process.
void Poller::failed() {
  bool thrown = false;
  napi_value error;
  if (napi_is_exception_pending(env_, &thrown) != napi_ok || !thrown) return;
  if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
}

}  // namespace qstack::node
