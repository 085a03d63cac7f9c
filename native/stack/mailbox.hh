// Mailbox: work for a thread that takes turns, handed in by others.
//
// In: functions from any thread. Out: each has run once, between two turns of the thread that has opened the mailbox, or in its
// caller while nobody has. Invariant: what that thread touches in its turns is touched by one thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace qstack {

class Mailbox {
 public:
  /// Waits until `work` is done; what it throws is thrown here. One caller at a time, others wait; not from within `work`.
  /// False: nobody has begun it within `patience`, and nobody will.
  bool call(const std::function<void()>& work, std::chrono::milliseconds patience = std::chrono::milliseconds::max());
  /// The calling thread serves it from now on; false: it is open. Who hands work in calls `knock`, in case that thread sleeps.
  bool open(std::function<void()> knock = {});
  /// By the thread that has opened it; whoever waits is served first.
  void close();
  /// By that thread, between two turns.
  void serve() {
    if (job_.load(std::memory_order_relaxed) != nullptr) [[unlikely]] serve_job();
  }
  bool served() const { return owner_.load(std::memory_order_acquire) != std::thread::id{}; }
  bool served_here() const { return owner_.load(std::memory_order_acquire) == std::this_thread::get_id(); }

 private:
  struct Job {
    const std::function<void()>* work;
    std::exception_ptr fault;
    bool done = false;
  };

  void serve_job();

  std::atomic<Job*> job_{nullptr};
  std::atomic<std::thread::id> owner_{};
  std::function<void()> knock_;
  std::mutex callers_;  ///< held by the one caller whose job is under way
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace qstack
