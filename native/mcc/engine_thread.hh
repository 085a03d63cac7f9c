// EngineThread: one loop of turns of the stack and steps of the engine, in a thread of its own.
//
// In: commands from control, run between two turns while the caller waits. Out: nothing but what the engine publishes.
// The thread yields when idle; after 10 ms without work it naps 500 us at a time, and never past the next intended send.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

#include "native/mcc/engine.hh"
#include "native/mcc/idle_gaps.hh"
#include "native/stack/stack.hh"

namespace qstack::mcc {

/// Monotonic nanoseconds.
Nanos monotonic_now();

class EngineThread {
 public:
  struct Config {
    std::string name = "mcc";
    int core = -1;                  ///< -1: any
    bool (*on_start)() = nullptr;   ///< what the port wants of a thread that drives it
    void (*on_stop)() = nullptr;
  };

  EngineThread(const Config& config, Stack& stack, Engine& engine);
  /// Stops and joins.
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  /// Runs `command` in the thread, between two turns, and returns when it is done.
  void call(const std::function<void(Nanos)>& command);

 private:
  static void* entry(void* self);
  void loop();
  void run_command(Nanos now);
  void rest(Nanos now, Nanos idle_since);

  Config config_;
  Stack& stack_;
  Engine& engine_;
  pthread_t thread_{};
  std::atomic<bool> stop_{false};
  std::atomic<bool> has_command_{false};
  std::mutex mutex_;
  std::condition_variable done_;
  const std::function<void(Nanos)>* command_ = nullptr;

 public:
  IdleGaps gaps;  ///< read inside call() only
};

}  // namespace qstack::mcc
