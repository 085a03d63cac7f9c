// Bytes: out of received packets, into packets to send.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "native/capi/sockets.hh"

namespace qstack::capi {

namespace {

size_t copy_from(const Packet& packet, Pieces& pieces) {
  size_t done = 0;
  while (done < packet.payload_length) {
    const size_t n = std::min<size_t>(pieces.contiguous(), packet.payload_length - done);
    if (n == 0) break;
    std::memcpy(pieces.here(), packet.data + packet.payload + done, n);
    pieces.advance(n);
    done += n;
  }
  return done;
}

}  // namespace

/// 0: there is a connection to read from, or there was.
long Sockets::readable(Socket& socket) const {
  if (socket.state == SocketState::fresh || socket.state == SocketState::listening) return -ENOTCONN;
  return 0;
}

long Sockets::read(int fd, Pieces& pieces, bool peek_only) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (const long fault = readable(*socket)) return fault;
  const size_t got = peek_only ? peek(*socket, pieces) : copy_out(*socket, pieces);
  if (got != 0) return static_cast<long>(got);
  if (const int error = take_error(*socket)) return -error;
  const bool over = socket->state == SocketState::over;
  if (over && !socket->was_connected) return -ENOTCONN;
  if (over || socket->ended || socket->read_shut || pieces.left() == 0) return 0;
  return -EAGAIN;
}

/// Packets that were read to their end go back, and their bytes leave the window.
size_t Sockets::copy_out(Socket& socket, Pieces& pieces) {
  size_t sum = 0;
  while (!socket.received.empty() && pieces.contiguous() != 0) {
    Packet* const packet = socket.received.front();
    const auto n = static_cast<uint16_t>(copy_from(*packet, pieces));
    sum += n;
    packet->payload = static_cast<uint16_t>(packet->payload + n);
    packet->payload_length = static_cast<uint16_t>(packet->payload_length - n);
    if (packet->payload_length != 0) break;
    socket.received.pop_front();
    stack_->release(socket.handle, packet, packet->length, now_);
  }
  return sum;
}

size_t Sockets::peek(const Socket& socket, Pieces& pieces) {
  size_t sum = 0;
  for (const Packet* packet = socket.received.front(); packet != nullptr; packet = socket.received.after(packet)) {
    const size_t n = copy_from(*packet, pieces);
    sum += n;
    if (n < packet->payload_length) break;
  }
  return sum;
}

/// 0: bytes may be written.
long Sockets::writable(Socket& socket) const {
  if (socket.state == SocketState::fresh || socket.state == SocketState::listening) return -ENOTCONN;
  if (const int error = take_error(socket)) return -error;
  if (socket.write_shut || socket.state == SocketState::over) return -EPIPE;
  return socket.state == SocketState::connecting ? -EAGAIN : 0;
}

/// Room from which on a socket is writable: a third of what there can be.
uint32_t Sockets::write_threshold(const Socket& socket) {
  const uint32_t most = std::min(socket.options[TcpOption::send_buffer], socket.options[TcpOption::not_sent_low_water]);
  return std::max(most / 3, 1u);
}

long Sockets::write(int fd, Pieces& pieces) {
  Socket* const socket = find(fd);
  if (socket == nullptr) return -EBADF;
  if (const long fault = writable(*socket)) return fault;
  if (pieces.left() == 0) return 0;
  const size_t written = copy_in(*socket, pieces, stack_->writable(socket->handle));
  if (pieces.contiguous() != 0 && socket->state == SocketState::connected) want_space(*socket);
  return written == 0 ? -EAGAIN : static_cast<long>(written);
}

size_t Sockets::copy_in(Socket& socket, Pieces& pieces, size_t most) {
  size_t sum = 0;
  while (sum < most) {  // behind what waits already
    const auto n = static_cast<uint32_t>(std::min(pieces.contiguous(), most - sum));
    const uint32_t taken = n == 0 ? 0 : stack_->append(socket.handle, 0, pieces.here(), n, now_);
    if (taken == 0) break;
    pieces.advance(taken);
    sum += taken;
  }
  while (sum < most && pieces.contiguous() != 0) {
    const size_t n = send_packet(socket, pieces, most - sum);
    if (n == 0) break;
    sum += n;
  }
  return sum;
}

/// One segment. 0: no packet is left, or the connection is gone.
size_t Sockets::send_packet(Socket& socket, Pieces& pieces, size_t most) {
  const Tcb* const c = stack_->engine().inspect(socket.handle);
  Packet* const packet = c != nullptr && packets_left(8) ? tx_.allocate() : nullptr;
  if (packet == nullptr) return 0;
  most = std::min<size_t>(most, c->mss);
  packet->data = PacketRegion::payload_start(packet);
  packet->payload = 0;
  packet->level = 0;
  size_t length = 0;
  while (length < most) {
    const size_t n = std::min(pieces.contiguous(), most - length);
    if (n == 0) break;
    std::memcpy(packet->data + length, pieces.here(), n);
    pieces.advance(n);
    length += n;
  }
  packet->payload_length = static_cast<uint16_t>(length);
  return stack_->send(socket.handle, packet, now_) ? length : 0;
}

/// Says by an event when the socket may be writable: so many bytes are acknowledged as there is room too little, or there are
/// packets again.
void Sockets::want_space(Socket& socket) {
  if (!packets_left(8)) return starve(socket);
  if (socket.space_wanted) return;
  socket.space_wanted = true;
  const uint32_t room = stack_->writable(socket.handle), threshold = write_threshold(socket);
  const uint32_t unsent = stack_->unsent(socket.handle);
  const uint32_t missing = threshold > room ? threshold - room : 1;
  stack_->request_drain(socket.handle, unsent - std::min(unsent, missing), 0, now_);
}

}  // namespace qstack::capi
