#include "native/capi/instance.hh"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "native/stack/stack_thread.hh"

using namespace qstack;
using namespace qstack::capi;

namespace {

constexpr Nanos kNever = UINT64_MAX;
/// A manual clock begins here for the stack, which takes 0 for "never".
constexpr Nanos kManualStart = 1'000'000'000;
/// As a stack thread rests (native/stack/stack_thread.cc): yield, then short naps, and long ones when it stays quiet.
constexpr Nanos kYieldFor = 3'000, kShortNap = 20'000, kShortNapsFor = 10'000'000, kLongNap = 500'000;

/// What a program finds that asks before it has set anything.
SocketOptions options_of(const TcpConfig& tcp) {
  SocketOptions out;
  out.put(TcpOption::no_delay, 0).put(TcpOption::quick_ack, 0).put(TcpOption::delayed_ack_ms, tcp.delayed_ack_ms);
  out.put(TcpOption::keepalive, 0).put(TcpOption::keepalive_idle_ms, 7'200'000);
  out.put(TcpOption::keepalive_interval_ms, 75'000).put(TcpOption::keepalive_count, 9);
  out.put(TcpOption::user_timeout_ms, 0).put(TcpOption::max_segment, 0).put(TcpOption::pacing_rate, 0);
  out.put(TcpOption::congestion, static_cast<uint32_t>(tcp.congestion));
  out.put(TcpOption::receive_buffer, tcp.receive_buffer).put(TcpOption::send_buffer, tcp.send_buffer);
  out.put(TcpOption::dscp, 0).put(TcpOption::ttl, 64).put(TcpOption::rto_min_ms, tcp.rto_min_ms);
  out.put(TcpOption::retries, tcp.retries_max).put(TcpOption::syn_retries, tcp.syn_retries_max);
  out.put(TcpOption::sums, 1);  // TCP_INFO has them
  return out;
}

SocketsConfig sockets_config(const InstanceConfig& config) {
  const TcpConfig& tcp = config.stack.tcp;
  SocketsConfig out;
  out.sockets = config.sockets;
  out.epolls = config.epolls;
  out.interests = config.interests;
  out.connections = tcp.connections;
  out.options = options_of(tcp);
  out.first_port = static_cast<uint16_t>(32'768 + tcp.secret[1] % 28'232);
  return out;
}

void nap_until(Nanos at) {
  const timespec until{static_cast<time_t>(at / 1'000'000'000), static_cast<long>(at % 1'000'000'000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

}  // namespace

qst_stack::qst_stack(const InstanceConfig& config, std::unique_ptr<Device> device)
    : config_(config),
      device_(std::move(device)),
      sockets_(std::make_unique<Sockets>(sockets_config(config), device_->tx())),
      stack_(std::make_unique<Stack>(config.stack, device_->port(), device_->rx(), device_->tx(), *sockets_)) {
  sockets_->attach(*stack_);
  turn();
}

/// The resets leave with the last turn.
qst_stack::~qst_stack() {
  sockets().reset_all();
  turn();
}

Nanos qst_stack::now() const { return config_.manual_clock ? manual_now_ : monotonic_now(); }

Nanos qst_stack::engine_now() const { return config_.manual_clock ? manual_now_ + kManualStart : monotonic_now(); }

bool qst_stack::set_clock(Nanos now) {
  if (!config_.manual_clock || now < manual_now_ || now > kNever / 2) return false;
  manual_now_ = now;
  return true;
}

uint32_t qst_stack::turn() {
  const Nanos now = engine_now();
  sockets_->at(now);
  const uint32_t work = stack_->turn(now);
  sockets_->after_turn();
  if (work != 0) {
    idle_since_ = 0;
  } else if (idle_since_ == 0) {
    idle_since_ = now;
  }
  return work;
}

Nanos qst_stack::deadline_after(Nanos duration) const { return now() + duration; }

Nanos qst_stack::deadline_of(int timeout_ms) const {
  return timeout_ms < 0 ? kNever : deadline_after(static_cast<Nanos>(timeout_ms) * 1'000'000);
}

/// 0, or the errno that ends the call.
int qst_stack::wait(Nanos deadline) {
  if (now() >= deadline) return EAGAIN;
  if (interrupted_.exchange(false, std::memory_order_relaxed)) return EINTR;
  if (config_.wait != nullptr) return config_.wait(config_.wait_argument, deadline);
  if (config_.manual_clock) return EAGAIN;
  if (idle_since_ != 0) rest(deadline);
  return 0;
}

void qst_stack::rest(Nanos deadline) {
  const Nanos now = monotonic_now();
  const Nanos idle = now - std::min(now, idle_since_);
  if (idle < kYieldFor) {
    sched_yield();
    return;
  }
  nap_until(std::min(now + (idle < kShortNapsFor ? kShortNap : kLongNap), deadline));
}

template <typename Attempt>
long qst_stack::until(Nanos deadline, Attempt attempt) {
  const long result = attempt();
  return result == -EAGAIN ? turn_until(deadline, attempt) : result;
}

template <typename Attempt>
long qst_stack::turn_until(Nanos deadline, Attempt attempt) {
  for (;;) {
    turn();
    const long result = attempt();
    if (result != -EAGAIN) return result;
    if (const int fault = wait(deadline)) return -fault;
  }
}

/// The call may wait: the socket and this call want it. A wrong descriptor is found by the call itself.
bool qst_stack::blocks(int fd, int flags) {
  const Socket* const socket = sockets_->find(fd);
  return socket != nullptr && !socket->nonblocking && !(flags & MSG_DONTWAIT);
}

long qst_stack::accept(int fd, sockaddr* address, socklen_t* length, int flags) {
  const Nanos deadline = blocks(fd, 0) ? kNever : 0;
  return until(deadline, [&] { return sockets().accept(fd, address, length, flags); });
}

long qst_stack::connect(int fd, const sockaddr* address, socklen_t length) {
  const long begun = sockets().connect(fd, address, length);
  if (begun != -EINPROGRESS) return begun;
  const Socket& socket = *sockets_->find(fd);
  if (socket.nonblocking) return begun;
  const Nanos deadline = socket.send_timeout == 0 ? kNever : deadline_after(socket.send_timeout);
  const long result = until(deadline, [&] { return sockets().connect_result(fd); });
  return result == -EAGAIN ? -EINPROGRESS : result;
}

long qst_stack::read(int fd, const iovec* parts, size_t count, int flags) {
  Pieces pieces{parts, count};
  const Socket* const socket = sockets_->find(fd);
  Nanos deadline = 0;
  if (blocks(fd, flags)) deadline = socket->receive_timeout == 0 ? kNever : deadline_after(socket->receive_timeout);
  const bool peek = flags & MSG_PEEK;
  const bool all = (flags & MSG_WAITALL) && !peek && deadline != 0;
  long sum = 0;
  do {
    const long got = until(deadline, [&] { return sockets().read(fd, pieces, peek); });
    if (got <= 0) return sum != 0 ? sum : got;
    sum += got;
  } while (all && pieces.contiguous() != 0);
  return sum;
}

/// A blocking write ends with its last byte; what was written before a fault counts, and the next call meets the fault.
long qst_stack::write(int fd, const iovec* parts, size_t count, int flags) {
  Pieces pieces{parts, count};
  const Socket* const socket = sockets_->find(fd);
  Nanos deadline = 0;
  if (blocks(fd, flags)) deadline = socket->send_timeout == 0 ? kNever : deadline_after(socket->send_timeout);
  long sum = 0;
  do {
    const long put = until(deadline, [&] { return sockets().write(fd, pieces); });
    if (put <= 0) return sum != 0 ? sum : put;
    sum += put;
  } while (deadline != 0 && pieces.contiguous() != 0);
  return sum;
}

long qst_stack::poll(pollfd* list, nfds_t count, int timeout_ms) {
  const long result = turn_until(deadline_of(timeout_ms), [&] {
    const long ready = sockets().poll(list, count);
    return ready == 0 ? -EAGAIN : ready;
  });
  return result == -EAGAIN ? 0 : result;
}

long qst_stack::epoll_wait(int epoll, epoll_event* events, int events_max, int timeout_ms) {
  const long result = turn_until(deadline_of(timeout_ms), [&] {
    const long ready = sockets().epoll_wait(epoll, events, events_max);
    return ready == 0 ? -EAGAIN : ready;
  });
  return result == -EAGAIN ? 0 : result;
}

long qst_stack::close(int fd) {
  const Socket* const socket = sockets_->find(fd);
  if (socket != nullptr && socket->lingers && socket->linger_seconds != 0 && blocks(fd, 0)) {
    sockets().shutdown(fd, SHUT_WR);
    until(deadline_after(Nanos{socket->linger_seconds} * 1'000'000'000), [&] { return sockets().lingering(fd); });
  }
  return sockets().close(fd);
}
