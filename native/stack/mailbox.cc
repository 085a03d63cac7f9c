#include "native/stack/mailbox.hh"

#include <sched.h>

namespace qstack {

void Mailbox::call(const std::function<void()>& work) {
  const std::lock_guard one_at_a_time(callers_);
  if (!served() || served_here()) {
    work();
    return;
  }
  Job job{&work, nullptr};
  std::unique_lock lock(mutex_);
  job_.store(&job, std::memory_order_release);
  changed_.wait(lock, [&] { return job.done; });
  lock.unlock();
  if (job.fault != nullptr) std::rethrow_exception(job.fault);
}

bool Mailbox::open() {
  const std::lock_guard no_caller(callers_);
  if (served()) return false;
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
  Job* const job = job_.load(std::memory_order_acquire);
  try {
    (*job->work)();
  } catch (...) {
    job->fault = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  job_.store(nullptr, std::memory_order_relaxed);
  job->done = true;
  changed_.notify_all();
}

}  // namespace qstack
