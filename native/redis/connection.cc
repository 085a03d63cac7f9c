#include "native/redis/connection.hh"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace qstack::redis {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

bool fill_unix(const Address& address, SocketAddress& out) {
  auto* unix_address = reinterpret_cast<sockaddr_un*>(&out.storage);
  if (address.path.size() >= sizeof unix_address->sun_path) return false;
  unix_address->sun_family = AF_UNIX;
  std::memcpy(unix_address->sun_path, address.path.c_str(), address.path.size() + 1);
  out.length = sizeof *unix_address;
  return true;
}

bool fill_tcp(const Address& address, SocketAddress& out) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    out.length = sizeof *v4;
    return true;
  }
  if (inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) != 1) return false;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(address.port);
  out.length = sizeof *v6;
  return true;
}

bool fill(const Address& address, SocketAddress& out) {
  return address.path.empty() ? fill_tcp(address, out) : fill_unix(address, out);
}

}  // namespace

std::string Address::text() const { return path.empty() ? host + ":" + std::to_string(port) : path; }

bool is_possible(const Address& address) {
  SocketAddress filled;
  return fill(address, filled);
}

Connection::Connection(Address address, int epoll_fd, uint32_t tag)
    : address_(std::move(address)), epoll_fd_(epoll_fd), tag_(tag) {}

void Connection::close() {
  if (fd_ >= 0) ::close(fd_);  // epoll forgets it by itself
  fd_ = -1;
  state_ = State::closed;
}

Connection::State Connection::fail() {
  last_error_ = errno;
  close();
  return state_;
}

bool Connection::start_socket(int family) {
  fd_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return false;
  const int on = 1;
  if (family != AF_UNIX) ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return true;
}

int Connection::connect_socket() {
  SocketAddress to;
  if (!fill(address_, to)) {
    errno = EINVAL;
    return -1;
  }
  if (!start_socket(to.storage.ss_family)) return -1;
  return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to.storage), to.length);
}

Connection::State Connection::open() {
  close();
  const int result = connect_socket();
  if (result != 0 && errno != EINPROGRESS) return fail();
  state_ = result == 0 ? State::open : State::connecting;
  watches_write_ = state_ == State::connecting;
  epoll_event event{.events = EPOLLIN | (watches_write_ ? EPOLLOUT : 0u), .data = {.u32 = tag_}};
  if (epoll_fd_ >= 0) ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd_, &event);
  return state_;
}

Connection::State Connection::progress() {
  if (state_ != State::connecting) return state_;
  pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
  if (::poll(&ready, 1, 0) <= 0) return state_;
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
  errno = error;
  if (error != 0) return fail();
  state_ = State::open;
  watch(false);
  return state_;
}

void Connection::adopt(int fd) {
  close();
  fd_ = fd;
  state_ = State::open;
}

/// Readiness to write wakes a sleeping poller only while there is something to write.
void Connection::watch(bool writable) {
  if (writable == watches_write_ || epoll_fd_ < 0) return;
  watches_write_ = writable;
  epoll_event event{.events = EPOLLIN | (writable ? EPOLLOUT : 0u), .data = {.u32 = tag_}};
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd_, &event);
}

Connection::Result Connection::read(std::span<uint8_t> into, size_t& n) {
  const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
  if (got > 0) {
    n = static_cast<size_t>(got);
    return Result::moved;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Result::blocked;
  if (got == 0) errno = ECONNRESET;
  last_error_ = errno;
  return Result::gone;
}

Connection::Result Connection::write(const iovec* pieces, size_t count, size_t& n) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = count;
  const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (sent >= 0) {
    n = static_cast<size_t>(sent);
    watch(false);
    return Result::moved;
  }
  last_error_ = errno;
  if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) return Result::gone;
  watch(true);
  return Result::blocked;
}

}  // namespace qstack::redis
