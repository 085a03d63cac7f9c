// What the stack tells: connections that open and end, bytes that come, room to write.
#include <sys/epoll.h>

#include <cerrno>
#include <cstring>

#include "native/capi/sockets.hh"

namespace qstack::capi {

namespace {

/// What a connection that ended early leaves as SO_ERROR. A reset after the peer's FIN hits the writer only.
int error_of(CloseReason reason, const Socket& socket) {
  switch (reason) {
    case CloseReason::finished:
      return 0;
    case CloseReason::reset:
      return socket.ended ? EPIPE : ECONNRESET;
    case CloseReason::timed_out:
    case CloseReason::idle:
      return ETIMEDOUT;
    case CloseReason::refused:
      return ECONNREFUSED;
    case CloseReason::unreachable:
      return EHOSTUNREACH;
    default:
      return ECONNABORTED;
  }
}

}  // namespace

bool Sockets::opened(const Opened& event) {
  if (event.listener == 0xffff) {
    Socket* const socket = owner_of(event.handle);
    if (socket != nullptr) begin_connection(*socket, event);
    return true;
  }
  const uint32_t listener = event.listener < listeners_.size() ? listeners_[event.listener] : kNoIndex;
  if (listener != kNoIndex) return take_passive(sockets_.at(listener), event);
  // Its listener was closed during the handshake. Inside a turn a connection cannot be reset.
  if (doomed_.size() == doomed_.capacity()) return false;
  doomed_.push_back(event.handle);
  return true;
}

void Sockets::begin_connection(Socket& socket, const Opened& event) {
  socket.state = SocketState::connected;
  socket.was_connected = true;
  socket.local = event.local;
  socket.remote = event.remote;
  notify(socket, EPOLLOUT | EPOLLWRNORM);
}

/// False: the backlog is full; the handshake is completed later, or never.
bool Sockets::take_passive(Socket& listener, const Opened& event) {
  if (listener.waiting >= listener.backlog || unaccepted() >= config_.sockets) return false;
  const uint32_t index = allocate(listener.family);
  if (index == kNoIndex) return false;
  Socket& socket = sockets_.at(index);
  socket.handle = event.handle;
  socket.reuse_address = listener.reuse_address;
  socket.v6_only = listener.v6_only;
  socket.lingers = listener.lingers;
  socket.linger_seconds = listener.linger_seconds;
  socket.options = listener.options;
  socket.receive_timeout = listener.receive_timeout;
  socket.send_timeout = listener.send_timeout;
  socket.link = kNoIndex;
  own(event.handle, index);
  begin_connection(socket, event);
  if (listener.last_waiting == kNoIndex) {
    listener.first_waiting = index;
  } else {
    sockets_.at(listener.last_waiting).link = index;
  }
  listener.last_waiting = index;
  ++listener.waiting;
  notify(listener, EPOLLIN | EPOLLRDNORM);
  return true;
}

bool Sockets::message(const Message& event) {
  Socket* const socket = owner_of(event.handle);
  if (socket == nullptr || socket->read_shut) {
    stack_->release(event.handle, event.packet, event.length, now_);
    return true;
  }
  if (!merge(*socket, event)) {
    event.packet->payload = event.offset;
    event.packet->payload_length = event.packet->length = event.length;
    socket->received.push_back(event.packet);
  }
  notify(*socket, EPOLLIN | EPOLLRDNORM);
  return true;
}

/// Few bytes move behind those that wait already, so that they do not keep a packet each. False: there is no room.
bool Sockets::merge(Socket& socket, const Message& event) {
  Packet* const last = socket.received.back();
  if (last == nullptr) return false;
  uint8_t* const end = last->data + last->payload + last->payload_length;
  const uint8_t* const limit = PacketRegion::buffer(last) + kHeadroom + kRoom;
  if (end < PacketRegion::buffer(last) || end > limit || limit - end < event.length) return false;
  std::memcpy(end, event.packet->data + event.offset, event.length);
  last->payload_length = static_cast<uint16_t>(last->payload_length + event.length);
  last->length = static_cast<uint16_t>(last->length + event.length);
  stack_->release(event.handle, event.packet, 0, now_);
  return true;
}

bool Sockets::ended(Handle handle) {
  Socket* const socket = owner_of(handle);
  if (socket == nullptr) return true;
  socket->ended = true;
  notify(*socket, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP);
  return true;
}

bool Sockets::closed(Handle handle, CloseReason reason) {
  Socket* const socket = owner_of(handle);
  owners()[handle.slot] = kNoIndex;
  if (socket == nullptr) return true;
  socket->error = error_of(reason, *socket);
  socket->state = SocketState::over;
  socket->space_wanted = false;
  if (!socket->was_connected && !socket->bound) socket->local = {};
  unstarve(*socket);
  notify(*socket, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
  return true;
}

bool Sockets::drained(Handle handle, uint32_t) {
  Socket* const socket = owner_of(handle);
  if (socket == nullptr) return true;
  socket->space_wanted = false;
  notify(*socket, EPOLLOUT | EPOLLWRNORM);
  return true;
}

bool Sockets::urgent(Handle handle) {
  if (Socket* const socket = owner_of(handle)) notify(*socket, EPOLLPRI);
  return true;
}

void Sockets::after_turn() {
  for (const Handle handle : doomed_) {
    if (stack_->alive(handle)) stack_->abort(handle, CloseReason::aborted, now_);
  }
  doomed_.clear();
  if (first_starved_ == kNoIndex || !packets_left(4)) return;
  while (first_starved_ != kNoIndex) {
    Socket& socket = sockets_.at(first_starved_);
    first_starved_ = socket.link;
    socket.starved = false;
    notify(socket, EPOLLOUT | EPOLLWRNORM);
  }
}

void Sockets::starve(Socket& socket) {
  if (socket.starved) return;
  socket.starved = true;
  socket.link = first_starved_;
  first_starved_ = index_of(socket);
}

void Sockets::unstarve(Socket& socket) {
  if (!socket.starved) return;
  socket.starved = false;
  uint32_t* place = &first_starved_;
  while (*place != index_of(socket)) place = &sockets_.at(*place).link;
  *place = socket.link;
}

}  // namespace qstack::capi
