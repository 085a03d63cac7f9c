// From socket() to a connection: names, listeners, active opens.
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "native/capi/address.hh"
#include "native/capi/sockets.hh"

namespace qstack::capi {

namespace {

constexpr int kTypeFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
constexpr uint16_t kFirstFree = 32'768, kFreePorts = 28'232;

bool both(const IpAddress& a, const IpAddress& b, bool families_meet) {
  if (a.unspecified() || b.unspecified()) return families_meet;
  return a == b;
}

}  // namespace

long Sockets::open(int domain, int type, int protocol) {
  if (domain != AF_INET && domain != AF_INET6) return -EAFNOSUPPORT;
  if ((type & ~kTypeFlags) != SOCK_STREAM) return -EPROTONOSUPPORT;
  if (protocol != 0 && protocol != IPPROTO_TCP) return -EPROTONOSUPPORT;
  if (named_ >= config_.sockets) return -EMFILE;
  const uint32_t index = allocate(domain);
  if (index == kNoIndex) return -ENOBUFS;
  Socket& socket = sockets_.at(index);
  socket.nonblocking = (type & SOCK_NONBLOCK) != 0;
  return name(socket);
}

/// Whom the socket speaks with as long as it has no address.
Families Sockets::families_of(const Socket& socket) const {
  if (socket.family == AF_INET) return Families::ipv4;
  return socket.v6_only ? Families::ipv6 : Families::both;
}

/// Two sockets may share a port where both want it and neither listens.
bool Sockets::port_taken(const Socket& socket, const Endpoint& wanted) const {
  const Families own = families_of(socket);
  for (uint32_t index = 0; index < sockets_.touched(); ++index) {
    const Socket& other = sockets_.at(index);
    if (other.local.port != wanted.port || other.state == SocketState::over || &other == &socket) continue;
    if (socket.reuse_address && other.reuse_address && other.state != SocketState::listening) continue;
    const Families its = families_of(other);
    const bool meet = own == its || own == Families::both || its == Families::both;
    if (both(wanted.address, other.local.address, meet)) return true;
  }
  return false;
}

/// 0: none is free.
uint16_t Sockets::free_port(const Socket& socket, const IpAddress& address) {
  for (uint32_t i = 0; i < kFreePorts; ++i) {
    if (next_port_ < kFirstFree || next_port_ >= kFirstFree + kFreePorts) next_port_ = kFirstFree;
    const uint16_t port = next_port_++;
    if (!port_taken(socket, {address, port})) return port;
  }
  return 0;
}

long Sockets::bind(int fd, const sockaddr* address, socklen_t length) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  Endpoint wanted;
  if (const int fault = read_sockaddr(address, length, socket->family, wanted)) return fault;
  if (socket->state != SocketState::fresh || socket->bound) return -EINVAL;
  if (!wanted.address.unspecified() && !stack_->owns(wanted.address)) return -EADDRNOTAVAIL;
  if (wanted.address.is_ipv4() && socket->family == AF_INET6 && socket->v6_only) return -EINVAL;
  if (wanted.port == 0) {
    wanted.port = free_port(*socket, wanted.address);
    if (wanted.port == 0) return -EADDRINUSE;
  } else if (port_taken(*socket, wanted)) {
    return -EADDRINUSE;
  }
  socket->local = wanted;
  socket->bound = true;
  return 0;
}

ListenerConfig Sockets::framing_of(const Socket& socket) const {
  ListenerConfig config;
  config.framing = Framing::stream;
  config.options = socket.options;
  config.families = families_of(socket);
  return config;
}

long Sockets::listen(int fd, int backlog) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (socket->state != SocketState::fresh && socket->state != SocketState::listening) return -EINVAL;
  socket->backlog = static_cast<uint32_t>(std::clamp<int64_t>(backlog, 1, config_.sockets));
  if (socket->state == SocketState::listening) return 0;
  if (socket->local.port == 0) socket->local.port = free_port(*socket, socket->local.address);
  if (socket->local.port == 0) return -EADDRINUSE;
  ListenerConfig config = framing_of(*socket);
  config.address = socket->local.address;
  config.port = socket->local.port;
  const int number = stack_->listen(config);
  if (number < 0) return number;
  if (listeners_.size() <= static_cast<size_t>(number)) listeners_.resize(static_cast<size_t>(number) + 1, kNoIndex);
  listeners_[static_cast<size_t>(number)] = index_of(*socket);
  socket->listener = static_cast<uint16_t>(number);
  socket->state = SocketState::listening;
  return 0;
}

long Sockets::accept(int fd, sockaddr* address, socklen_t* length, int flags) {
  Socket* const listener = find(fd);
  if (listener == nullptr) return -EBADF;
  if (listener->state != SocketState::listening || (flags & ~kTypeFlags) != 0) return -EINVAL;
  if (listener->waiting == 0) return -EAGAIN;
  if (named_ >= config_.sockets) return -EMFILE;
  const uint32_t index = listener->first_waiting;
  Socket& socket = sockets_.at(index);
  if (const int fault = write_sockaddr(socket.remote, socket.family, address, length)) return fault;
  listener->first_waiting = socket.link;
  if (listener->first_waiting == kNoIndex) listener->last_waiting = kNoIndex;
  --listener->waiting;
  if (listener->options_changed) apply_options(socket);
  socket.nonblocking = (flags & SOCK_NONBLOCK) != 0;
  return name(socket);
}

/// Why the stack would not even begin; 0: it may.
int Sockets::connect_fault(const Socket& socket, const Endpoint& remote) const {
  if (remote.port == 0) return -EADDRNOTAVAIL;
  if (socket.v6_only && remote.address.is_ipv4()) return -ENETUNREACH;
  const IpAddress& local = socket.local.address;
  if (!local.unspecified() && local.is_ipv4() != remote.address.is_ipv4()) return -EINVAL;
  if (remote.address.unspecified() || !stack_->routable(remote.address)) return -ENETUNREACH;
  return 0;
}

/// After an attempt that failed there may be another.
bool Sockets::reconnects(const Socket& socket) const {
  return socket.state == SocketState::fresh || (socket.state == SocketState::over && !socket.was_connected);
}

long Sockets::connect(int fd, const sockaddr* address, socklen_t length) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  Endpoint remote;
  if (const int fault = read_sockaddr(address, length, socket->family, remote)) return fault;
  if (socket->state == SocketState::listening) return -EOPNOTSUPP;
  if (socket->state == SocketState::connecting) return -EALREADY;
  if (!reconnects(*socket)) return -EISCONN;
  if (const int error = take_error(*socket)) return -error;
  if (const int fault = connect_fault(*socket, remote)) return fault;
  Endpoint local = socket->local;
  if (local.address.unspecified()) local.address = stack_->source_for(remote.address);
  const Handle handle = stack_->connect(local, remote, framing_of(*socket), 0, now_);
  if (handle.slot == kNoIndex) return stack_->engine().connections_used() == config_.connections ? -ENOBUFS : -EADDRNOTAVAIL;
  own(handle, index_of(*socket));
  socket->handle = handle;
  socket->state = SocketState::connecting;
  socket->local = {local.address, stack_->engine().inspect(handle)->key.local_port};
  socket->remote = remote;
  return -EINPROGRESS;
}

long Sockets::connect_result(int fd) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (socket->state == SocketState::connecting) return -EAGAIN;
  if (const int error = take_error(*socket)) return -error;
  return socket->was_connected ? 0 : -ECONNABORTED;
}

long Sockets::getsockname(int fd, sockaddr* address, socklen_t* length) {
  const Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (address == nullptr) return -EFAULT;
  return write_sockaddr(socket->local, socket->family, address, length);
}

long Sockets::getpeername(int fd, sockaddr* address, socklen_t* length) {
  const Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (socket->state != SocketState::connected) return -ENOTCONN;
  if (address == nullptr) return -EFAULT;
  return write_sockaddr(socket->remote, socket->family, address, length);
}

}  // namespace qstack::capi
