// StackThread: a thread that takes turns until it is stopped.
//
// In: the turn, how to wait when it had nothing to do, control functions to run between two turns. Out: nothing but the
// turns. Invariant: whatever belongs to the stack is touched by this thread alone while it runs; control comes in by
// call(). The turn gets CLOCK_MONOTONIC. A napping thread is at most 500 µs away, half a tick of the stack's timers; where frames,
// apps and control wake it, it sleeps until the next timer.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <future>
#include <span>
#include <string>

#include "native/port/port.hh"
#include "native/stack/doorbell.hh"
#include "native/stack/hiccup.hh"
#include "native/stack/mailbox.hh"

namespace qstack {

/// A busy polling thread offers its core to others after so long. The kernel's tick would take it away after 4 ms at the
/// earliest (HZ = 250), and whoever shares the core, Redis above all, would wait for that in every round.
inline constexpr Nanos kCoreQuantum = 100'000;

/// CLOCK_MONOTONIC in nanoseconds.
Nanos monotonic_now();
/// Pins the calling thread to these cores; false when the kernel refuses.
bool set_own_affinity(std::span<const int> cores);

enum class PollMode : uint8_t {
  yield,  ///< sched_yield when idle; after 3 µs naps of 20 µs, after 10 ms longer ones
  busy,   ///< never waits: only with a core of its own
  sleep,  ///< longer naps after 100 µs of idling
};

struct StackThreadConfig {
  std::string name;  ///< as `ps -L` shows it: 15 characters
  int core = -1;
  PollMode poll = PollMode::yield;
  /// What ends a longer nap: frames of `port`, where it wakes, whoever rings, and the time that `deadline` tells behind an idle turn.
  /// Both outlive the thread. Without all three it naps for 500 µs.
  Port* port = nullptr;
  Doorbell* bell = nullptr;
  std::function<Nanos(Nanos now)> deadline = {};
  /// Run inside the thread before the first and after the last turn (a device library wants to know its threads).
  std::function<void()> on_start = {};
  std::function<void()> on_stop = {};
};

class StackThread {
 public:
  using Turn = std::function<uint32_t(Nanos)>;

  /// Starts the thread and waits until it has begun. What on_start throws is thrown here; std::system_error when the
  /// thread cannot be made or pinned.
  StackThread(Turn turn, StackThreadConfig config);
  ~StackThread() { stop(); }
  StackThread(const StackThread&) = delete;
  StackThread& operator=(const StackThread&) = delete;

  /// Runs `work` between two turns (Mailbox). After stop() it runs in the caller.
  void call(const std::function<void()>& work) { mailbox_.call(work); }
  /// Ends the loop and joins the thread. May be called again.
  void stop();

  HiccupProbe::Summary hiccups(bool reset);

 private:
  static void* enter(void* self);
  void run();
  void begin();
  void loop();
  void rest(Nanos now);
  void nap(Nanos now);
  void listen();
  void stop_listening();
  void give_core();

  Turn turn_;
  StackThreadConfig config_;
  pthread_t thread_{};
  bool joinable_ = false;
  std::atomic<bool> stop_{false};
  std::promise<void> begun_;
  Mailbox mailbox_;
  Nanos idle_since_ = 0;
  Nanos gave_core_ = 0;
  bool wakes_ = false;      ///< frames end a nap
  bool listening_ = false;  ///< ... from now on
  uint32_t idle_wakes_ = 0;
  HiccupProbe probe_;
};

}  // namespace qstack
