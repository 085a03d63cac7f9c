#include "native/stack/mailbox.hh"

#include <sched.h>

#include <utility>

namespace qstack {

bool Mailbox::call(const std::function<void()>& work, std::chrono::milliseconds patience) {
  const std::lock_guard one_at_a_time(callers_);
  if (!served() || served_here()) {
    work();
    return true;
  }
  Job job{&work, nullptr};
  const auto done = [&] { return job.done; };
  std::unique_lock lock(mutex_);
  job_.store(&job, std::memory_order_release);
  if (knock_) knock_();
  if (patience != std::chrono::milliseconds::max() && !changed_.wait_for(lock, patience, done)) {
    if (job_.exchange(nullptr, std::memory_order_acq_rel) != nullptr) return false;  // else it is under way
  }
  changed_.wait(lock, done);
  lock.unlock();
  if (job.fault != nullptr) std::rethrow_exception(job.fault);
  return true;
}

bool Mailbox::open(std::function<void()> knock) {
  const std::lock_guard no_caller(callers_);
  if (served()) return false;
  knock_ = std::move(knock);
  owner_.store(std::this_thread::get_id(), std::memory_order_release);
  return true;
}

void Mailbox::close() {
  while (!callers_.try_lock()) {
    serve();
    sched_yield();
  }
  owner_.store({}, std::memory_order_release);
  callers_.unlock();
}

// The job lives on its caller's stack: it is gone as soon as the lock is given back.
void Mailbox::serve_job() {
  Job* const job = job_.exchange(nullptr, std::memory_order_acq_rel);
  if (job == nullptr) return;
  try {
    (*job->work)();
  } catch (...) {
    job->fault = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  job->done = true;
  changed_.notify_all();
}

}  // namespace qstack
