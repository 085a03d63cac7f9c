#include "native/mcc/kernel_network.hh"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace qstack::mcc {

namespace {

constexpr uint32_t kEvents = 256;
/// Reads of one socket per event, so that none keeps the others waiting.
constexpr uint32_t kReads = 8;

sockaddr_in socket_address(uint32_t address, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(address);
  out.sin_port = htons(port);
  return out;
}

void switch_on(int fd, int level, int option) {
  const int one = 1;
  setsockopt(fd, level, option, &one, sizeof(one));
}

int error_of(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

CloseReason reason_of(int error, bool connecting) {
  switch (error) {
    case ECONNREFUSED:
      return CloseReason::refused;
    case ETIMEDOUT:
      return CloseReason::timed_out;
    case EHOSTUNREACH:
    case ENETUNREACH:
      return CloseReason::unreachable;
    default:
      return connecting ? CloseReason::refused : CloseReason::reset;
  }
}

}  // namespace

uint64_t raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1'024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

KernelNetwork::KernelNetwork(const KernelConfig& config)
    : config_(config),
      region_(2 * config.packets),
      rx_(region_.region(), 0, config.packets),
      tx_(region_.region(), config.packets, config.packets),
      sockets_(config.slots),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  raise_file_limit();
  for (uint32_t slot = config.slots; slot > 0; --slot) free_.push_back(slot - 1);
}

KernelNetwork::~KernelNetwork() {
  for (Socket& socket : sockets_) shut_file(socket);
  ::close(epoll_);
}

KernelNetwork::Socket* KernelNetwork::find(Handle handle) {
  if (handle.slot >= sockets_.size()) return nullptr;
  Socket& socket = sockets_[handle.slot];
  return socket.generation == handle.generation && socket.fd >= 0 ? &socket : nullptr;
}

std::map<std::string, uint64_t> KernelNetwork::counters() const {
  std::map<std::string, uint64_t> all = failures_;
  all.insert({{"sockets", sockets_made_}, {"bytes_in", bytes_in_}, {"bytes_out", bytes_out_}});
  return all;
}

// Opening.

void KernelNetwork::failed(int error) {
  const char* const name = strerrorname_np(error);
  ++failures_[std::string("connect_") + (name != nullptr ? name : std::to_string(error))];
}

/// A socket with its local address, on its way to the server; -1 and errno when the kernel refuses.
int KernelNetwork::start(uint32_t source) const {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  switch_on(fd, IPPROTO_TCP, TCP_NODELAY);
  const sockaddr_in local = socket_address(config_.sources[source], 0);
  const sockaddr_in remote = socket_address(config_.remote.address.ipv4(), config_.remote.port);
  if (config_.sources[source] != 0) switch_on(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  const bool bound = config_.sources[source] == 0 || bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof(local)) == 0;
  if (bound && (::connect(fd, reinterpret_cast<const sockaddr*>(&remote), sizeof(remote)) == 0 || errno == EINPROGRESS)) {
    return fd;
  }
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

Handle KernelNetwork::connect(Endpoint local, uint64_t token, Nanos) {
  if (free_.empty()) return {};
  const uint32_t source = local.address.ipv4() % static_cast<uint32_t>(config_.sources.size());
  const int fd = start(source);
  if (fd < 0) {
    failed(errno);
    return {};
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  Socket& socket = sockets_[slot];
  socket = {.fd = fd, .generation = socket.generation + 1, .token = token, .source = source, .state = State::connecting};
  ++sockets_made_;
  watch(slot, EPOLL_CTL_ADD);
  return handle_of(slot);
}

/// Level-triggered: a socket that is ready stays so until its turn comes.
void KernelNetwork::watch(uint32_t slot, int operation) {
  const Socket& socket = sockets_[slot];
  epoll_event event{};
  event.data.u64 = uint64_t{socket.generation} << 32 | slot;
  const bool writes = socket.state == State::connecting || socket.first != nullptr;
  event.events = (writes ? uint32_t{EPOLLOUT} : 0) | (socket.peer_ended ? 0 : uint32_t{EPOLLIN});
  epoll_ctl(epoll_, operation, socket.fd, &event);
}

// The turn.

uint32_t KernelNetwork::turn(App& app, Nanos) {
  const uint32_t told = tell_gone(app);
  std::array<epoll_event, kEvents> events;
  const int count = epoll_wait(epoll_, events.data(), kEvents, 0);
  for (int i = 0; i < count; ++i) {
    const uint64_t word = events[static_cast<size_t>(i)].data.u64;
    const Handle handle{static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32)};
    if (find(handle) != nullptr) handle_event(app, handle.slot, events[static_cast<size_t>(i)].events);
  }
  return told + tell_gone(app) + static_cast<uint32_t>(std::max(count, 0));
}

/// A slot is free again once its end was told: until then nobody else has its number.
uint32_t KernelNetwork::tell_gone(App& app) {
  telling_.swap(gone_);
  for (const Gone& gone : telling_) {
    app.closed(gone.handle, gone.reason);
    free_.push_back(gone.handle.slot);
  }
  const auto told = static_cast<uint32_t>(telling_.size());
  telling_.clear();
  return told;
}

void KernelNetwork::handle_event(App& app, uint32_t slot, uint32_t events) {
  Socket& socket = sockets_[slot];
  if (socket.state == State::connecting) return finish_connect(app, slot);
  if ((events & EPOLLOUT) != 0) flush(slot);
  // Behind the peer's FIN only an error is news: there is nothing to read.
  if (socket.fd >= 0 && socket.peer_ended && (events & (EPOLLERR | EPOLLHUP)) != 0) {
    return end(slot, socket.shut && (events & EPOLLERR) == 0 ? CloseReason::finished : CloseReason::reset);
  }
  if (socket.fd >= 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) receive(app, slot);
}

void KernelNetwork::finish_connect(App& app, uint32_t slot) {
  Socket& socket = sockets_[slot];
  if (const int error = error_of(socket.fd); error != 0) {
    failed(error);
    return end(slot, reason_of(error, true));
  }
  socket.state = State::open;
  watch(slot, EPOLL_CTL_MOD);
  const Endpoint local{config_.sources[socket.source], 0};
  app.opened({handle_of(slot), local, config_.remote, 0xffff, socket.token});
}

void KernelNetwork::receive(App& app, uint32_t slot) {
  for (uint32_t reads = 0; reads < kReads; ++reads) {
    Socket& socket = sockets_[slot];
    Packet* const packet = rx_.allocate();
    if (packet == nullptr) return;  // the next turn, when some are back
    packet->data = PacketRegion::payload_start(packet);
    packet->payload = 0;
    const ssize_t n = recv(socket.fd, packet->data, kRoom, 0);
    const int error = errno;
    if (n <= 0) rx_.release(packet);
    if (n == 0) return peer_ended(app, slot);
    if (n < 0) {
      if (error != EAGAIN && error != EINTR) end(slot, reason_of(error, false));
      return;
    }
    packet->payload_length = static_cast<uint16_t>(n);
    bytes_in_ += static_cast<uint64_t>(n);
    app.message({handle_of(slot), config_.remote, packet, 0, packet->payload_length, 0xffff, 0});
    if (n < static_cast<ssize_t>(kRoom)) return;
  }
}

void KernelNetwork::peer_ended(App& app, uint32_t slot) {
  Socket& socket = sockets_[slot];
  socket.peer_ended = true;
  if (socket.shut) return end(slot, CloseReason::finished);
  watch(slot, EPOLL_CTL_MOD);
  app.ended(handle_of(slot));
}

void KernelNetwork::release(Handle, Packet* packet, uint16_t, Nanos) { rx_.release(packet); }

// Sending.

/// How many bytes the kernel took; it tells of a connection that is gone by an event.
size_t KernelNetwork::write_some(Socket& socket, const Packet* packet) {
  const ssize_t n = ::send(socket.fd, packet->data + packet->payload, packet->payload_length, MSG_NOSIGNAL);
  bytes_out_ += static_cast<uint64_t>(std::max<ssize_t>(n, 0));
  return static_cast<size_t>(std::max<ssize_t>(n, 0));
}

bool KernelNetwork::send(Handle handle, Packet* packet, Nanos) {
  Socket* const socket = find(handle);
  if (socket == nullptr || socket->state != State::open || socket->closes) {
    tx_.release(packet);
    return false;
  }
  const size_t written = socket->first == nullptr ? write_some(*socket, packet) : 0;
  if (written == packet->payload_length) {
    tx_.release(packet);
    return true;
  }
  packet->payload = static_cast<uint16_t>(packet->payload + written);
  packet->payload_length = static_cast<uint16_t>(packet->payload_length - written);
  packet->next = nullptr;
  const bool first = socket->first == nullptr;
  (first ? socket->first : socket->last->next) = packet;
  socket->last = packet;
  if (first) {
    ++blocked_;
    watch(handle.slot, EPOLL_CTL_MOD);
  }
  return true;
}

void KernelNetwork::flush(uint32_t slot) {
  Socket& socket = sockets_[slot];
  if (socket.first == nullptr) return;
  while (Packet* const packet = socket.first) {
    const size_t written = write_some(socket, packet);
    packet->payload = static_cast<uint16_t>(packet->payload + written);
    packet->payload_length = static_cast<uint16_t>(packet->payload_length - written);
    if (packet->payload_length > 0) return;
    socket.first = packet->next;
    tx_.release(packet);
  }
  --blocked_;
  watch(slot, EPOLL_CTL_MOD);
  if (socket.closes) shut_down(slot);
}

// Ending.

void KernelNetwork::close(Handle handle, Nanos now) {
  Socket* const socket = find(handle);
  if (socket == nullptr || socket->closes) return;
  if (socket->state == State::connecting) return abort(handle, now);
  socket->closes = true;
  if (socket->first == nullptr) shut_down(handle.slot);
}

void KernelNetwork::shut_down(uint32_t slot) {
  Socket& socket = sockets_[slot];
  shutdown(socket.fd, SHUT_WR);
  socket.shut = true;
  if (socket.peer_ended) end(slot, CloseReason::finished);
}

void KernelNetwork::abort(Handle handle, Nanos) {
  Socket* const socket = find(handle);
  if (socket == nullptr) return;
  const linger at_once{1, 0};  // RST
  setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  end(handle.slot, CloseReason::aborted);
}

void KernelNetwork::drop_queue(Socket& socket) {
  if (socket.first == nullptr) return;
  --blocked_;
  while (Packet* const packet = socket.first) {
    socket.first = packet->next;
    tx_.release(packet);
  }
}

void KernelNetwork::shut_file(Socket& socket) {
  if (socket.fd < 0) return;
  drop_queue(socket);
  ::close(socket.fd);
  socket.fd = -1;
}

/// The socket is gone now; the app hears of it within this turn or the next one.
void KernelNetwork::end(uint32_t slot, CloseReason reason) {
  gone_.push_back({handle_of(slot), reason});
  shut_file(sockets_[slot]);
  sockets_[slot].state = State::free;
}

}  // namespace qstack::mcc
