#include "native/port/memif_door.hh"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <stdexcept>
#include <utility>

namespace qstack {

namespace {

/// A message of memif has 128 bytes and at most one descriptor; what is larger is no memif.
constexpr size_t kMessageMax = 512;
constexpr size_t kDescriptorsMax = 8;
/// Per step and direction: a whole connect has a dozen.
constexpr uint32_t kMessagesPerStep = 64;
constexpr uint32_t kKnocksPerStep = 64;

enum class Carried : uint8_t { message, nothing, source_gone, target_gone };

/// Throws std::runtime_error when the path is too long.
sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) throw std::runtime_error("memif: the socket's path is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

int new_socket() { return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

template <typename Use>
void each_descriptor(const msghdr& message, Use&& use) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const auto* const first = reinterpret_cast<const int*>(CMSG_DATA(part));
    for (const int fd : std::span(first, (part->cmsg_len - CMSG_LEN(0)) / sizeof(int))) use(fd);
  }
}

/// `hear` gets the bytes and a descriptor that came with them, or -1, before they go on.
template <typename Hear>
Carried carry_message(int from, int to, Hear&& hear) {
  uint8_t bytes[kMessageMax];
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(kDescriptorsMax * sizeof(int))];
  iovec piece{bytes, sizeof(bytes)};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t length = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
  if (length < 0) return errno == EAGAIN || errno == EINTR ? Carried::nothing : Carried::source_gone;
  const bool whole = length > 0 && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  int with = -1;
  each_descriptor(message, [&with](int fd) { with = fd; });
  if (whole) hear(std::span<const uint8_t>(bytes, static_cast<size_t>(length)), with);
  piece.iov_len = static_cast<size_t>(length);
  message.msg_flags = 0;
  const bool sent = whole && to >= 0 && sendmsg(to, &message, MSG_NOSIGNAL) == length;
  each_descriptor(message, [](int fd) { close(fd); });
  if (!whole) return Carried::source_gone;
  return sent ? Carried::message : Carried::target_gone;
}

/// Who has gone away again while it waited to be let in.
bool is_gone(int client) {
  uint8_t byte;
  const ssize_t length = recv(client, &byte, 1, MSG_PEEK);
  return length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR);
}

}  // namespace

MemifDoor::MemifDoor(std::string path)
    : path_(std::move(path)), behind_(address_of(behind(path_))), news_(epoll_create1(EPOLL_CLOEXEC)) {
  const sockaddr_un address = address_of(path_);
  listener_ = new_socket();
  if (listener_ >= 0 && bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      listen(listener_, SOMAXCONN) == 0) {
    unlink(behind_.sun_path);  // the door is ours, so what lies behind it is stale
    watch(listener_);
    return;
  }
  const int error = errno;
  if (listener_ >= 0) close(listener_);
  throw std::runtime_error("memif: nobody can be served at " + path_ + ": " + std::strerror(error));
}

MemifDoor::~MemifDoor() {
  for (Visit& visit : visits_) end(visit);
  close(listener_);
  unlink(path_.c_str());
  unlink(behind_.sun_path);
}

/// By edges: what a step leaves lying waits for the next one, and keeps nobody busy meanwhile.
void MemifDoor::watch(int socket) {
  epoll_event wanted{.events = EPOLLIN | EPOLLET, .data = {}};
  epoll_ctl(news_.get(), EPOLL_CTL_ADD, socket, &wanted);
}

void MemifDoor::step() {
  std::array<epoll_event, kVisitsMax> told;
  epoll_wait(news_.get(), told.data(), told.size(), 0);
  let_in();
  for (Visit& visit : visits_) {
    if (visit.client < 0) continue;
    if (visit.server < 0 && !reach_server(visit)) {
      end(visit);
      continue;
    }
    if (visit.server >= 0) carry(visit);
  }
}

void MemifDoor::let_in() {
  for (uint32_t knocks = 0; knocks < kKnocksPerStep; ++knocks) {
    const auto place = std::find_if(visits_.begin(), visits_.end(), [](const Visit& visit) { return visit.client < 0; });
    if (place == visits_.end()) return;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    if (is_gone(client)) {
      close(client);
    } else {
      *place = {.client = client};
    }
  }
}

/// False: there is no server. Where its queue is full we come again in the next step.
bool MemifDoor::reach_server(Visit& visit) {
  const int server = new_socket();
  if (server >= 0 && connect(server, reinterpret_cast<const sockaddr*>(&behind_), sizeof(behind_)) == 0) {
    visit.server = server;
    watch(server);
    return true;
  }
  const int error = errno;
  if (server >= 0) close(server);
  return error == EAGAIN;
}

void MemifDoor::carry(Visit& visit) {
  for (uint32_t n = 0; n < kMessagesPerStep; ++n) {
    const Carried carried = carry_message(visit.server, visit.left ? -1 : visit.client, [&](auto bytes, int) { from_server(visit, bytes); });
    if (carried == Carried::source_gone) return end(visit);
    if (carried == Carried::nothing) break;
    visit.greeted = true;
    visit.left = visit.left || carried == Carried::target_gone;
  }
  for (uint32_t n = 0; n < kMessagesPerStep && !visit.left; ++n) {
    const Carried carried = carry_message(visit.client, visit.server, [&](auto bytes, int fd) { visit.ring.hear(bytes, fd); });
    if (carried == Carried::target_gone) return end(visit);
    if (carried == Carried::nothing) break;
    visit.left = carried == Carried::source_gone;
  }
  if (visit.left && visit.greeted) end(visit);
}

void MemifDoor::from_server(Visit& visit, std::span<const uint8_t> message) {
  if (!MemifRing::is_connected(message)) return;
  visit.linked = true;
  bell_.connect(std::move(visit.ring));
}

void MemifDoor::end(Visit& visit) {
  if (visit.linked) bell_.disconnect();
  if (visit.client >= 0) close(visit.client);
  if (visit.server >= 0) close(visit.server);
  visit = {};
}

}  // namespace qstack
