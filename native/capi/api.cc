// The calls of qstack.h: results become errno, and no exception leaves.
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "native/capi/instance.hh"

using namespace qstack;
using namespace qstack::capi;

namespace {

constexpr int kReadFlags = MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL;
constexpr int kWriteFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
constexpr int kPartsMax = 1'024;

thread_local std::string last_error;

long result_of(long value) {
  if (value >= 0) return value;
  errno = static_cast<int>(-value);
  return -1;
}

/// Runs what returns a result or a negative errno.
template <typename Call>
long guarded(const qst_stack* stack, Call call) noexcept {
  if (stack == nullptr) return result_of(-EINVAL);
  try {
    return result_of(call());
  } catch (const std::bad_alloc&) {
    return result_of(-ENOMEM);
  } catch (...) {
    return result_of(-EIO);
  }
}

template <typename Call>
int guarded_int(const qst_stack* stack, Call call) noexcept {
  return static_cast<int>(guarded(stack, call));
}

int refuse(int error, const char* why) noexcept {
  try {
    last_error = why;
  } catch (...) {
    last_error.clear();
  }
  errno = error;
  return -1;
}

/// Runs what makes stacks: an exception becomes an errno and a sentence.
template <typename Make>
int make(Make function) noexcept {
  try {
    function();
    return 0;
  } catch (const std::bad_alloc&) {
    return refuse(ENOMEM, "there is not enough memory for this many sockets and packets");
  } catch (const std::system_error& error) {
    return refuse(error.code().value(), error.what());
  } catch (const std::invalid_argument& error) {
    return refuse(EINVAL, error.what());
  } catch (const std::exception& error) {
    return refuse(EIO, error.what());
  } catch (...) {
    return refuse(EIO, "the stack cannot be made");
  }
}

/// 0: these pieces can be read or written.
long pieces_fault(const iovec* parts, int count) {
  if (count < 0 || count > kPartsMax) return -EINVAL;
  if (parts == nullptr && count != 0) return -EFAULT;
  size_t sum = 0;
  for (int i = 0; i < count; ++i) {
    if (parts[i].iov_base == nullptr && parts[i].iov_len != 0) return -EFAULT;
    if (parts[i].iov_len > SSIZE_MAX - sum) return -EINVAL;
    sum += parts[i].iov_len;
  }
  return 0;
}

long receive(qst_stack* stack, int fd, const iovec* parts, int count, int flags) {
  if (flags & ~kReadFlags) return -EOPNOTSUPP;
  if (const long fault = pieces_fault(parts, count)) return fault;
  return stack->read(fd, parts, static_cast<size_t>(count), flags);
}

long transmit(qst_stack* stack, int fd, const iovec* parts, int count, int flags) {
  if (flags & ~kWriteFlags) return -EOPNOTSUPP;
  if (const long fault = pieces_fault(parts, count)) return fault;
  return stack->write(fd, parts, static_cast<size_t>(count), flags);
}

iovec one(const void* buffer, size_t length) { return {const_cast<void*>(buffer), length}; }

long count_of(qst_stack* stack, const char* name, uint64_t* value) {
  if (name == nullptr || value == nullptr) return -EFAULT;
  for (size_t i = 0; i < kCounters; ++i) {
    if (kCounterNames[i] != name) continue;
    *value = stack->counters().values[i];
    return 0;
  }
  return -EINVAL;
}

}  // namespace

extern "C" {

void qst_config_init(qst_config* config) {
  if (config == nullptr) return;
  *config = qst_config{};
  config->size = sizeof(*config);
}

qst_stack* qst_create(const qst_config* config) {
  qst_stack* stack = nullptr;
  make([&] {
    if (config == nullptr) throw std::invalid_argument("config: NULL");
    const InstanceConfig read = read_config(*config);
    stack = new qst_stack(read, make_device(read));
  });
  return stack;
}

int qst_create_pair(const qst_config* first, const qst_config* second, qst_stack* stacks[2]) {
  return make([&] {
    if (first == nullptr || second == nullptr || stacks == nullptr) throw std::invalid_argument("config: NULL");
    const InstanceConfig configs[2] = {read_config(*first), read_config(*second)};
    std::unique_ptr<Device> ends[2];
    make_pair(configs[0], configs[1], ends);
    auto one = std::make_unique<qst_stack>(configs[0], std::move(ends[0]));
    stacks[1] = new qst_stack(configs[1], std::move(ends[1]));
    stacks[0] = one.release();
  });
}

void qst_destroy(qst_stack* stack) {
  make([&] { delete stack; });
}

const char* qst_error(void) { return last_error.c_str(); }

const char* qst_version(void) { return QSTACK_VERSION; }

int qst_turn(qst_stack* stack) {
  return guarded_int(stack, [&] { return static_cast<long>(stack->turn()); });
}

uint64_t qst_clock(qst_stack* stack) { return stack == nullptr ? 0 : stack->now(); }

int qst_set_clock(qst_stack* stack, uint64_t now_ns) {
  return guarded_int(stack, [&] { return stack->set_clock(now_ns) ? 0L : -EINVAL; });
}

void qst_interrupt(qst_stack* stack) {
  if (stack != nullptr) stack->interrupt();
}

int qst_counter(qst_stack* stack, const char* name, uint64_t* value) {
  return guarded_int(stack, [&] { return count_of(stack, name, value); });
}

int qst_netdev_send(qst_stack* stack, const void* frame, size_t length) {
  return guarded_int(stack, [&]() -> long {
    if (stack->netdev() == nullptr) return -EOPNOTSUPP;
    return frame == nullptr ? -EFAULT : stack->netdev()->give(static_cast<const uint8_t*>(frame), length);
  });
}

ssize_t qst_netdev_receive(qst_stack* stack, void* buffer, size_t length) {
  return guarded(stack, [&]() -> long {
    if (stack->netdev() == nullptr) return -EOPNOTSUPP;
    return buffer == nullptr ? -EFAULT : stack->netdev()->take(static_cast<uint8_t*>(buffer), length);
  });
}

int qst_socket(qst_stack* stack, int domain, int type, int protocol) {
  return guarded_int(stack, [&] { return stack->sockets().open(domain, type, protocol); });
}

int qst_bind(qst_stack* stack, int fd, const sockaddr* address, socklen_t length) {
  return guarded_int(stack, [&] { return stack->sockets().bind(fd, address, length); });
}

int qst_listen(qst_stack* stack, int fd, int backlog) {
  return guarded_int(stack, [&] { return stack->sockets().listen(fd, backlog); });
}

int qst_accept(qst_stack* stack, int fd, sockaddr* address, socklen_t* length) {
  return qst_accept4(stack, fd, address, length, 0);
}

int qst_accept4(qst_stack* stack, int fd, sockaddr* address, socklen_t* length, int flags) {
  return guarded_int(stack, [&] { return stack->accept(fd, address, length, flags); });
}

int qst_connect(qst_stack* stack, int fd, const sockaddr* address, socklen_t length) {
  return guarded_int(stack, [&] { return stack->connect(fd, address, length); });
}

ssize_t qst_read(qst_stack* stack, int fd, void* buffer, size_t length) { return qst_recv(stack, fd, buffer, length, 0); }

ssize_t qst_readv(qst_stack* stack, int fd, const iovec* parts, int count) {
  return guarded(stack, [&] { return receive(stack, fd, parts, count, 0); });
}

ssize_t qst_recv(qst_stack* stack, int fd, void* buffer, size_t length, int flags) {
  const iovec part = one(buffer, length);
  return guarded(stack, [&] { return receive(stack, fd, &part, 1, flags); });
}

ssize_t qst_recvfrom(qst_stack* stack, int fd, void* buffer, size_t length, int flags, sockaddr* address,
                     socklen_t* address_length) {
  const ssize_t got = qst_recv(stack, fd, buffer, length, flags);
  if (got < 0 || address == nullptr) return got;
  const int error = errno;
  if (qst_getpeername(stack, fd, address, address_length) != 0) {
    if (address_length != nullptr) *address_length = 0;
    errno = error;
  }
  return got;
}

ssize_t qst_write(qst_stack* stack, int fd, const void* buffer, size_t length) {
  return qst_send(stack, fd, buffer, length, 0);
}

ssize_t qst_writev(qst_stack* stack, int fd, const iovec* parts, int count) {
  return guarded(stack, [&] { return transmit(stack, fd, parts, count, 0); });
}

ssize_t qst_send(qst_stack* stack, int fd, const void* buffer, size_t length, int flags) {
  const iovec part = one(buffer, length);
  return guarded(stack, [&] { return transmit(stack, fd, &part, 1, flags); });
}

ssize_t qst_sendto(qst_stack* stack, int fd, const void* buffer, size_t length, int flags, const sockaddr* address,
                   socklen_t) {
  const iovec part = one(buffer, length);
  return guarded(stack, [&]() -> long {
    if (address == nullptr) return transmit(stack, fd, &part, 1, flags);
    const Socket* const socket = stack->sockets().find(fd);
    if (socket == nullptr) return -EBADF;
    return socket->state == SocketState::connected ? -EISCONN : -ENOTCONN;
  });
}

int qst_poll(qst_stack* stack, pollfd* sockets, nfds_t count, int timeout) {
  return guarded_int(stack, [&]() -> long {
    if (sockets == nullptr && count != 0) return -EFAULT;
    if (count > INT_MAX) return -EINVAL;
    return stack->poll(sockets, count, timeout);
  });
}

int qst_epoll_create(qst_stack* stack, int size) {
  return guarded_int(stack, [&] { return stack->sockets().epoll_create(size); });
}

int qst_epoll_ctl(qst_stack* stack, int epoll, int operation, int fd, epoll_event* event) {
  return guarded_int(stack, [&] { return stack->sockets().epoll_ctl(epoll, operation, fd, event); });
}

int qst_epoll_wait(qst_stack* stack, int epoll, epoll_event* events, int events_max, int timeout) {
  return guarded_int(stack, [&] { return stack->epoll_wait(epoll, events, events_max, timeout); });
}

int qst_close(qst_stack* stack, int fd) {
  return guarded_int(stack, [&] { return stack->close(fd); });
}

int qst_shutdown(qst_stack* stack, int fd, int how) {
  return guarded_int(stack, [&] { return stack->sockets().shutdown(fd, how); });
}

int qst_getsockopt(qst_stack* stack, int fd, int level, int name, void* value, socklen_t* length) {
  return guarded_int(stack, [&] { return stack->sockets().get_option(fd, level, name, value, length); });
}

int qst_setsockopt(qst_stack* stack, int fd, int level, int name, const void* value, socklen_t length) {
  return guarded_int(stack, [&] { return stack->sockets().set_option(fd, level, name, value, length); });
}

int qst_fcntl(qst_stack* stack, int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const int argument = va_arg(arguments, int);
  va_end(arguments);
  return guarded_int(stack, [&] { return stack->sockets().control(fd, command, argument); });
}

int qst_getsockname(qst_stack* stack, int fd, sockaddr* address, socklen_t* length) {
  return guarded_int(stack, [&] { return stack->sockets().getsockname(fd, address, length); });
}

int qst_getpeername(qst_stack* stack, int fd, sockaddr* address, socklen_t* length) {
  return guarded_int(stack, [&] { return stack->sockets().getpeername(fd, address, length); });
}

}  // extern "C"
