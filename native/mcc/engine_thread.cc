#include "native/mcc/engine_thread.hh"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <stdexcept>

namespace qstack::mcc {

namespace {
constexpr Nanos kNapAfter = 10'000'000;
constexpr Nanos kNap = 500'000;
}  // namespace

Nanos monotonic_now() {
  timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<Nanos>(at.tv_sec) * kSecond + static_cast<Nanos>(at.tv_nsec);
}

EngineThread::EngineThread(const Config& config, Stack& stack, Engine& engine)
    : config_(config), stack_(stack), engine_(engine) {
  if (pthread_create(&thread_, nullptr, entry, this) != 0) throw std::runtime_error("no thread for the generator");
}

EngineThread::~EngineThread() {
  stop_.store(true, std::memory_order_release);
  pthread_join(thread_, nullptr);
}

void EngineThread::call(const std::function<void(Nanos)>& command) {
  std::unique_lock lock(mutex_);
  command_ = &command;
  has_command_.store(true, std::memory_order_release);
  done_.wait(lock, [this] { return command_ == nullptr; });
}

void EngineThread::run_command(Nanos now) {
  std::lock_guard lock(mutex_);
  (*command_)(now);
  command_ = nullptr;
  has_command_.store(false, std::memory_order_release);
  done_.notify_all();
}

void* EngineThread::entry(void* self) {
  auto* thread = static_cast<EngineThread*>(self);
  const Config& config = thread->config_;
  pthread_setname_np(pthread_self(), config.name.substr(0, 15).c_str());
  if (config.core >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(config.core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
  }
  if (config.on_start != nullptr) config.on_start();
  thread->loop();
  if (config.on_stop != nullptr) config.on_stop();
  return nullptr;
}

void EngineThread::loop() {
  Nanos idle_since = monotonic_now();
  gaps.begin(idle_since);
  while (!stop_.load(std::memory_order_acquire)) {
    Nanos now = monotonic_now();
    engine_.begin_turn(now);
    uint32_t work = stack_.turn(now) + engine_.step(now);
    if (has_command_.load(std::memory_order_acquire)) {
      run_command(now);
      ++work;
    }
    if (work > 0) {
      idle_since = now;
      gaps.begin(now);
      continue;
    }
    gaps.idle_turn(now);
    rest(now, idle_since);
  }
}

void EngineThread::rest(Nanos now, Nanos idle_since) {
  Nanos next = std::min(engine_.next_deadline(), stack_.next_deadline(now));
  if (now - idle_since < kNapAfter || next < now + kNap) {
    sched_yield();
    return;
  }
  timespec nap{0, static_cast<long>(kNap)};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);
  gaps.begin(monotonic_now());
}

}  // namespace qstack::mcc
