#include "native/stack/stack_thread.hh"

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <system_error>
#include <utility>

namespace qstack {

namespace {

constexpr Nanos kNap = 500'000;
/// A thread that only yields keeps its fair share of a core for doing nothing, and others that share the core go short
/// (docs/ARCHITECTURE.md 6). A nap of 20 µs ends a little later, by the timer slack and the scheduler.
constexpr Nanos kYieldFor = 3'000;
constexpr Nanos kShortNap = 20'000;
constexpr unsigned long kTimerSlack = 1'000;
/// Long naps cost latency: only a stack that had nothing to do for this long takes them.
constexpr Nanos kShortNapsFor = 10'000'000;
constexpr Nanos kSpinFor = 100'000;
/// Wake-ups in a row that bring nothing come of a descriptor with an error (a tap that was removed), or of a peer that rings for fun. Behind
/// so many a thread naps all the same.
constexpr uint32_t kIdleWakesMax = 8;

void nap_until(Nanos at) {
  const timespec until{static_cast<time_t>(at / 1'000'000'000), static_cast<long>(at % 1'000'000'000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

}  // namespace

Nanos monotonic_now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Nanos>(now.tv_sec) * 1'000'000'000 + static_cast<Nanos>(now.tv_nsec);
}

bool set_own_affinity(std::span<const int> cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int core : cores) {
    if (core < 0 || core >= CPU_SETSIZE) return false;
    CPU_SET(core, &set);
  }
  return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

StackThread::StackThread(Turn turn, StackThreadConfig config) : turn_(std::move(turn)), config_(std::move(config)) {
  const int error = pthread_create(&thread_, nullptr, enter, this);
  if (error != 0) throw std::system_error(error, std::generic_category(), "the stack thread cannot be made");
  joinable_ = true;
  try {
    begun_.get_future().get();
  } catch (...) {
    stop();
    throw;
  }
}

void* StackThread::enter(void* self) {
  static_cast<StackThread*>(self)->run();
  return nullptr;
}

void StackThread::run() {
  try {
    begin();
  } catch (...) {
    begun_.set_exception(std::current_exception());
    return;
  }
  mailbox_.open([bell = config_.bell] {
    if (bell != nullptr) bell->ring();
  });
  begun_.set_value();
  loop();
  if (listening_) stop_listening();
  mailbox_.close();
  if (config_.on_stop) config_.on_stop();
}

void StackThread::begin() {
  pthread_setname_np(pthread_self(), config_.name.substr(0, 15).c_str());
  if (config_.core >= 0 && !set_own_affinity({&config_.core, 1})) {
    throw std::system_error(errno != 0 ? errno : EINVAL, std::generic_category(),
                            "the stack thread cannot run on core " + std::to_string(config_.core));
  }
  prctl(PR_SET_TIMERSLACK, kTimerSlack);
  wakes_ = config_.bell != nullptr && config_.deadline && config_.port != nullptr && config_.port->wake_fd() >= 0;
  if (wakes_) config_.bell->watch(config_.port->wake_fd());
  if (config_.on_start) config_.on_start();
}

void StackThread::loop() {
  while (!stop_.load(std::memory_order_relaxed)) {
    const Nanos now = monotonic_now();
    const uint32_t work = turn_(now);
    mailbox_.serve();
    if (work != 0) {
      if (listening_) stop_listening();
      probe_.interrupt();
      idle_wakes_ = 0;
      idle_since_ = 0;
      if (config_.poll != PollMode::busy && now - gave_core_ > kCoreQuantum) give_core();
      continue;
    }
    probe_.idle(now);
    if (idle_since_ == 0) idle_since_ = now;
    if (config_.poll != PollMode::busy) rest(now);
  }
}

void StackThread::rest(Nanos now) {
  const Nanos patience = config_.poll == PollMode::sleep ? kSpinFor : kShortNapsFor;
  const Nanos idle = now - idle_since_;
  if (idle < kYieldFor) return give_core();
  if (idle < patience) {
    nap_until(now + kShortNap);
    return;
  }
  nap(now);
  probe_.interrupt();
}

/// What came before it listens is seen by one more turn.
void StackThread::nap(Nanos now) {
  if (!wakes_ || idle_wakes_ == kIdleWakesMax) {
    idle_wakes_ = 0;
    return nap_until(now + kNap);
  }
  if (!listening_) return listen();
  if (!config_.bell->sleep(config_.deadline(now) - now)) return;
  ++idle_wakes_;
  stop_listening();
}

void StackThread::listen() {
  config_.port->arm();
  config_.bell->attend();
  listening_ = true;
}

void StackThread::stop_listening() {
  config_.bell->leave();
  config_.port->disarm();
  listening_ = false;
}

void StackThread::give_core() {
  sched_yield();
  gave_core_ = monotonic_now();
}

void StackThread::stop() {
  if (!joinable_) return;
  stop_.store(true, std::memory_order_relaxed);
  if (config_.bell != nullptr) config_.bell->ring();
  pthread_join(thread_, nullptr);
  joinable_ = false;
}

HiccupProbe::Summary StackThread::hiccups(bool reset) {
  HiccupProbe::Summary summary;
  call([&] {
    summary = probe_.summary();
    if (reset) probe_.reset();
  });
  return summary;
}

}  // namespace qstack
