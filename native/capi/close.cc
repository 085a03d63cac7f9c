// The end of sockets, and of the two directions of their connections.
#include <cerrno>

#include "native/capi/sockets.hh"

namespace qstack::capi {

long Sockets::close(int fd) {
  if (Epoll* const epoll = find_epoll(fd)) {
    const uint32_t index = epolls_.slot_of(*epoll);
    drop_interests_of_epoll(index);
    epoll->named = false;
    epolls_.release(index);
    return 0;
  }
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (socket->state == SocketState::listening) {
    end_listening(*socket);
  } else {
    end_connection(*socket);
  }
  release(index_of(*socket));
  return 0;
}

/// Who waits for accept is reset: nobody will ever answer.
void Sockets::end_listening(Socket& socket) {
  stack_->unlisten(socket.listener);
  listeners_[socket.listener] = kNoIndex;
  while (socket.first_waiting != kNoIndex) {
    const uint32_t index = socket.first_waiting;
    Socket& waiting = sockets_.at(index);
    socket.first_waiting = waiting.link;
    waiting.lingers = true;
    waiting.linger_seconds = 0;
    end_connection(waiting);
    release(index);
  }
}

/// RST where bytes of the peer were not read (RFC 1122 4.2.2.13) or the program wants it, else FIN behind what was written.
void Sockets::end_connection(Socket& socket) {
  unstarve(socket);
  const bool alive = socket.state == SocketState::connecting || socket.state == SocketState::connected;
  const Handle handle = socket.handle;
  if (alive) {
    const bool reset = !socket.received.empty() || (socket.lingers && socket.linger_seconds == 0);
    own(handle, kNoIndex);
    if (reset) {
      stack_->abort(handle, CloseReason::aborted, now_);
    } else {
      stack_->close(handle, now_);
    }
  }
  forget_received(socket, handle);
}

long Sockets::lingering(int fd) {
  const Socket* const socket = find(fd);
  if (socket == nullptr || socket->state != SocketState::connected) return 0;
  return stack_->unsent(socket->handle) == 0 ? 0 : -EAGAIN;
}

long Sockets::shutdown(int fd, int how) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return -EINVAL;
  if (socket->state != SocketState::connected) return -ENOTCONN;
  if (how != SHUT_WR) {
    socket->read_shut = true;
    forget_received(*socket, socket->handle);
  }
  if (how != SHUT_RD && !socket->write_shut) {
    socket->write_shut = true;
    stack_->shutdown(socket->handle, now_);
  }
  notify(*socket, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLRDHUP | EPOLLHUP);
  return 0;
}

}  // namespace qstack::capi
