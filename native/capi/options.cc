// Options of sockets, and fcntl(). What is not listed here is ENOPROTOOPT (docs/c-api.md has the list).
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "native/capi/sockets.hh"

namespace qstack::capi {

namespace {

/// As getsockopt() does: cut to the room that there is.
long give(const void* bytes, socklen_t size, void* value, socklen_t* length) {
  if (value == nullptr || length == nullptr) return -EFAULT;
  if (static_cast<int>(*length) < 0) return -EINVAL;
  *length = std::min(size, *length);
  std::memcpy(value, bytes, *length);
  return 0;
}

long give_int(int number, void* value, socklen_t* length) { return give(&number, sizeof(number), value, length); }

long give_time(Nanos time, void* value, socklen_t* length) {
  const timeval out{static_cast<time_t>(time / 1'000'000'000), static_cast<suseconds_t>(time % 1'000'000'000 / 1'000)};
  return give(&out, sizeof(out), value, length);
}

template <typename T>
long take(const void* value, socklen_t length, T& out) {
  if (value == nullptr) return -EFAULT;
  if (length < sizeof(T)) return -EINVAL;
  std::memcpy(&out, value, sizeof(T));
  return 0;
}

long take_time(const void* value, socklen_t length, Nanos& out) {
  timeval time;
  if (const long fault = take(value, length, time)) return fault;
  if (time.tv_usec < 0 || time.tv_usec >= 1'000'000) return -EDOM;
  const auto seconds = static_cast<Nanos>(std::clamp<int64_t>(time.tv_sec, 0, INT32_MAX));
  out = seconds * 1'000'000'000 + static_cast<Nanos>(time.tv_usec) * 1'000;
  return 0;
}

}  // namespace

long Sockets::get_socket_option(Socket& socket, int name, void* value, socklen_t* length) {
  switch (name) {
    case SO_ERROR:
      if (value == nullptr || length == nullptr) return -EFAULT;
      return give_int(take_error(socket), value, length);
    case SO_TYPE:
      return give_int(SOCK_STREAM, value, length);
    case SO_PROTOCOL:
      return give_int(IPPROTO_TCP, value, length);
    case SO_DOMAIN:
      return give_int(socket.family, value, length);
    case SO_ACCEPTCONN:
      return give_int(socket.state == SocketState::listening, value, length);
    case SO_REUSEADDR:
      return give_int(socket.reuse_address, value, length);
    case SO_SNDBUF:
      return give_int(static_cast<int>(socket.send_buffer), value, length);
    case SO_RCVBUF:
      return give_int(static_cast<int>(config_.receive_buffer), value, length);
    case SO_RCVTIMEO:
      return give_time(socket.receive_timeout, value, length);
    case SO_SNDTIMEO:
      return give_time(socket.send_timeout, value, length);
    case SO_LINGER: {
      const ::linger out{socket.lingers, static_cast<int>(socket.linger_seconds)};
      return give(&out, sizeof(out), value, length);
    }
    default:
      return -ENOPROTOOPT;
  }
}

long Sockets::get_option(int fd, int level, int name, void* value, socklen_t* length) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (level == SOL_SOCKET) return get_socket_option(*socket, name, value, length);
  if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && socket->family == AF_INET6) {
    return give_int(socket->v6_only, value, length);
  }
  return -ENOPROTOOPT;
}

long Sockets::set_socket_option(Socket& socket, int name, const void* value, socklen_t length) {
  if (name == SO_RCVTIMEO) return take_time(value, length, socket.receive_timeout);
  if (name == SO_SNDTIMEO) return take_time(value, length, socket.send_timeout);
  if (name == SO_LINGER) {
    ::linger in;
    if (const long fault = take(value, length, in)) return fault;
    socket.lingers = in.l_onoff != 0;
    socket.linger_seconds = static_cast<uint32_t>(std::clamp(in.l_linger, 0, 86'400));
    return 0;
  }
  int number = 0;
  if (name != SO_REUSEADDR && name != SO_SNDBUF) return -ENOPROTOOPT;
  if (const long fault = take(value, length, number)) return fault;
  if (name == SO_REUSEADDR) {
    socket.reuse_address = number != 0;
  } else {
    socket.send_buffer = static_cast<uint32_t>(std::clamp<int64_t>(number, 2'048, 1 << 30));
  }
  return 0;
}

long Sockets::set_option(int fd, int level, int name, const void* value, socklen_t length) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (level == SOL_SOCKET) return set_socket_option(*socket, name, value, length);
  if (level != IPPROTO_IPV6 || name != IPV6_V6ONLY || socket->family != AF_INET6) return -ENOPROTOOPT;
  int number = 0;
  if (const long fault = take(value, length, number)) return fault;
  if (socket->bound || socket->state != SocketState::fresh) return -EINVAL;
  socket->v6_only = number != 0;
  return 0;
}

long Sockets::control(int fd, int command, long argument) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return find_epoll(fd) == nullptr ? -EBADF : -EINVAL;
  switch (command) {
    case F_GETFL:
      return O_RDWR | (socket->nonblocking ? O_NONBLOCK : 0);
    case F_SETFL:
      socket->nonblocking = (argument & O_NONBLOCK) != 0;
      return 0;
    case F_GETFD:
      return FD_CLOEXEC;
    case F_SETFD:
      return 0;
    default:
      return -EINVAL;
  }
}

}  // namespace qstack::capi
