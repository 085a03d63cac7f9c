// qst_stack: a stack with its device, its sockets and its clock, and the calls that wait.
//
// In: calls of one thread. Out: results, or negative errno. A call that finds nothing to do at first takes a turn and looks
// again; one that may wait goes on with turns, and rests its thread (or asks the program, `wait`) when a turn had no work.
#pragma once

#include <atomic>
#include <memory>

#include "native/capi/device.hh"
#include "native/capi/sockets.hh"
#include "native/stack/stack.hh"

struct qst_stack {
 public:
  qst_stack(const qstack::capi::InstanceConfig& config, std::unique_ptr<qstack::capi::Device> device);
  ~qst_stack();
  qst_stack(const qst_stack&) = delete;
  qst_stack& operator=(const qst_stack&) = delete;

  uint32_t turn();
  qstack::Nanos now() const;
  /// Of a manual clock. False: it has none, or would go back.
  bool set_clock(qstack::Nanos now);
  void interrupt() { interrupted_.store(true, std::memory_order_relaxed); }
  qstack::capi::NetdevPort* netdev() { return device_->netdev(); }
  const qstack::Counters& counters() { return stack_->counters(); }
  /// With the time of the call.
  qstack::capi::Sockets& sockets() {
    sockets_->at(engine_now());
    return *sockets_;
  }

  long accept(int fd, sockaddr* address, socklen_t* length, int flags);
  long connect(int fd, const sockaddr* address, socklen_t length);
  long read(int fd, const iovec* parts, size_t count, int flags);
  long write(int fd, const iovec* parts, size_t count, int flags);
  long poll(pollfd* sockets, nfds_t count, int timeout_ms);
  long epoll_wait(int epoll, epoll_event* events, int events_max, int timeout_ms);
  long close(int fd);

  /// For tests.
  const qstack::Stack& stack() const { return *stack_; }
  qstack::capi::Device& device() { return *device_; }

 private:
  /// What `attempt` says, as soon as it is not -EAGAIN; else what ends the wait: -EAGAIN at `deadline`, -EINTR.
  template <typename Attempt>
  long until(qstack::Nanos deadline, Attempt attempt);
  /// The same after a turn.
  template <typename Attempt>
  long turn_until(qstack::Nanos deadline, Attempt attempt);
  qstack::Nanos deadline_after(qstack::Nanos duration) const;
  qstack::Nanos deadline_of(int timeout_ms) const;
  qstack::Nanos engine_now() const;
  int wait(qstack::Nanos deadline);
  void rest(qstack::Nanos deadline);
  bool blocks(int fd, int flags);

  qstack::capi::InstanceConfig config_;
  std::unique_ptr<qstack::capi::Device> device_;
  std::unique_ptr<qstack::capi::Sockets> sockets_;
  std::unique_ptr<qstack::Stack> stack_;
  qstack::Nanos manual_now_ = 0;
  qstack::Nanos idle_since_ = 0;  ///< 0: the last turn had work
  std::atomic<bool> interrupted_{false};
};
