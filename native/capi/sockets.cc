#include "native/capi/sockets.hh"

#include <algorithm>
#include <cerrno>

#include "native/capi/qstack.h"

namespace qstack::capi {

size_t Pieces::left() const {
  size_t sum = 0;
  for (size_t i = part; i < count; ++i) sum += parts[i].iov_len;
  return sum - at;
}

size_t Pieces::contiguous() {
  while (part < count && at == parts[part].iov_len) {
    ++part;
    at = 0;
  }
  return part < count ? parts[part].iov_len - at : 0;
}

Sockets::Sockets(const SocketsConfig& config, PacketPool& tx)
    : config_(config),
      tx_(tx),
      sockets_(2 * config.sockets),
      interests_(config.interests),
      epolls_(config.epolls),
      owners_memory_(size_t{config.connections} * sizeof(uint32_t)),
      next_port_(config.first_port) {
  std::fill_n(owners(), config.connections, kNoIndex);
  doomed_.reserve(config.connections);
}

/// kNoIndex when all are taken.
uint32_t Sockets::allocate(int family) {
  const uint32_t index = sockets_.allocate();
  if (index == kNoIndex) return index;
  Socket& socket = sockets_.at(index);
  socket = Socket{};
  socket.family = static_cast<uint16_t>(family);
  socket.interests = kNoIndex;
  socket.first_waiting = socket.last_waiting = kNoIndex;
  socket.options = config_.options;
  return index;
}

void Sockets::release(uint32_t index) {
  Socket& socket = sockets_.at(index);
  while (socket.interests != kNoIndex) drop_interest(&socket.interests);
  if (socket.named) --named_;
  socket = Socket{};
  sockets_.release(index);
}

int Sockets::name(Socket& socket) {
  socket.named = true;
  ++named_;
  return QST_FD_FIRST + static_cast<int>(index_of(socket));
}

Socket* Sockets::find(int fd) {
  const uint32_t index = static_cast<uint32_t>(fd) - QST_FD_FIRST;
  if (index >= sockets_.touched() || !sockets_.at(index).named) return nullptr;
  return &sockets_.at(index);
}

/// Null: its socket was closed.
Socket* Sockets::owner_of(Handle handle) {
  const uint32_t index = owners()[handle.slot];
  if (index == kNoIndex || sockets_.at(index).handle != handle) return nullptr;
  return &sockets_.at(index);
}

int Sockets::take_error(Socket& socket) {
  const int error = socket.error;
  socket.error = 0;
  return error;
}

/// Gives back what was received and not read; `handle` may be dead.
void Sockets::forget_received(Socket& socket, Handle handle) {
  while (!socket.received.empty()) {
    Packet* const packet = socket.received.pop_front();
    stack_->release(handle, packet, packet->length, now_);
  }
}

void Sockets::reset_all() {
  for (uint32_t index = 0; index < sockets_.touched(); ++index) {
    Socket& socket = sockets_.at(index);
    if (!socket.named) continue;
    socket.lingers = true;
    socket.linger_seconds = 0;
    close(QST_FD_FIRST + static_cast<int>(index));
  }
}

}  // namespace qstack::capi
