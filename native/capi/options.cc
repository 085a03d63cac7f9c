// Options of sockets, and fcntl(). What is not listed here is ENOPROTOOPT (docs/c-api.md has the list).
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "native/capi/sockets.hh"

namespace qstack::capi {

namespace {

constexpr const char* kCongestions[] = {"", "cubic", "newreno", "dctcp"};

timeval time_of(Nanos time) {
  return {static_cast<time_t>(time / 1'000'000'000), static_cast<suseconds_t>(time % 1'000'000'000 / 1'000)};
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

/// As getsockopt() does: cut to the room that there is.
long Sockets::give_option(const void* bytes, socklen_t size, void* value, socklen_t* length) {
  if (value == nullptr || length == nullptr) return -EFAULT;
  if (static_cast<int>(*length) < 0) return -EINVAL;
  *length = std::min(size, *length);
  std::memcpy(value, bytes, *length);
  return 0;
}

long Sockets::give_int(int number, void* value, socklen_t* length) {
  return give_option(&number, sizeof(number), value, length);
}

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
    case SO_RCVTIMEO:
    case SO_SNDTIMEO: {
      const timeval out = time_of(name == SO_RCVTIMEO ? socket.receive_timeout : socket.send_timeout);
      return give_option(&out, sizeof(out), value, length);
    }
    case SO_LINGER: {
      const ::linger out{socket.lingers, static_cast<int>(socket.linger_seconds)};
      return give_option(&out, sizeof(out), value, length);
    }
    default:
      return -ENOPROTOOPT;
  }
}

long Sockets::get_option(int fd, int level, int name, void* value, socklen_t* length) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (const OptionName* const known = find_option(level, name)) return get_number(*socket, *known, value, length);
  if (level == SOL_SOCKET) return get_socket_option(*socket, name, value, length);
  if (level == IPPROTO_TCP && name == TCP_INFO) return get_tcp_info(*socket, value, length);
  if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
    char text[16] = {};  // TCP_CA_NAME_MAX of Linux
    std::strncpy(text, kCongestions[socket->options[TcpOption::congestion]], sizeof(text) - 1);
    return give_option(text, sizeof(text), value, length);
  }
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
  if (name != SO_REUSEADDR) return -ENOPROTOOPT;
  int number = 0;
  if (const long fault = take(value, length, number)) return fault;
  socket.reuse_address = number != 0;
  return 0;
}

/// Of a connection what applies to it; otherwise what will.
long Sockets::get_number(const Socket& socket, const OptionName& name, void* value, socklen_t* length) const {
  const uint32_t now = stack_->option(socket.handle, name.option).value_or(socket.options[name.option]);
  int number = from_value(name, now);
  if (name.option == TcpOption::max_segment) {
    const Tcb* const c = stack_->engine().inspect(socket.handle);
    number = c != nullptr ? c->mss : number != 0 ? number : 536;  // RFC 9293 3.7.1
  }
  return give_int(number, value, length);
}

long Sockets::set_number(Socket& socket, const OptionName& name, const void* value, socklen_t length) {
  int number = 0;
  if (const long fault = take(value, length, number)) return fault;
  const int64_t wanted = to_value(name, number);
  return wanted < 0 ? static_cast<long>(wanted) : change(socket, name.option, static_cast<uint32_t>(wanted));
}

long Sockets::set_congestion(Socket& socket, const void* value, socklen_t length) {
  if (value == nullptr) return -EFAULT;
  const std::string_view text(static_cast<const char*>(value), strnlen(static_cast<const char*>(value), length));
  for (uint32_t number = 1; number < std::size(kCongestions); ++number) {
    if (text == kCongestions[number] || (text == "reno" && number == 2)) return change(socket, TcpOption::congestion, number);
  }
  return -ENOENT;
}

/// At once where there is a connection.
long Sockets::change(Socket& socket, TcpOption option, uint32_t value) {
  if (const int fault = socket.options.set(option, value)) return fault;
  if (socket.state == SocketState::listening) socket.options_changed = true;
  return stack_->alive(socket.handle) ? stack_->set_option(socket.handle, option, value, now_) : 0;
}

/// What was set after listen().
void Sockets::apply_options(const Socket& socket) {
  for (uint32_t i = 0; i < kTcpOptions; ++i) {
    const auto option = static_cast<TcpOption>(i);
    if (stack_->option(socket.handle, option) != socket.options[option]) {
      stack_->set_option(socket.handle, option, socket.options[option], now_);
    }
  }
}

long Sockets::set_option(int fd, int level, int name, const void* value, socklen_t length) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (const OptionName* const known = find_option(level, name)) return set_number(*socket, *known, value, length);
  if (level == SOL_SOCKET) return set_socket_option(*socket, name, value, length);
  if (level == IPPROTO_TCP && name == TCP_CONGESTION) return set_congestion(*socket, value, length);
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
