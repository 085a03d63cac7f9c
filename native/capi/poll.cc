// What is ready: poll() looks at each socket, an epoll keeps a list of those that may have something to tell.
//
// An interest comes into the list when an event of its socket concerns it. A wait takes each from the list and asks the
// socket anew; level triggered ones that are still ready go back to the end, so that all get their turn.
#include <cerrno>

#include "native/capi/qstack.h"
#include "native/capi/sockets.hh"

namespace qstack::capi {

static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR && POLLHUP == EPOLLHUP);
static_assert(POLLPRI == EPOLLPRI);
static_assert(POLLRDNORM == EPOLLRDNORM && POLLWRNORM == EPOLLWRNORM && POLLRDHUP == EPOLLRDHUP);

namespace {

constexpr uint32_t kIn = EPOLLIN | EPOLLRDNORM;
constexpr uint32_t kOut = EPOLLOUT | EPOLLWRNORM;
constexpr uint32_t kAlways = EPOLLERR | EPOLLHUP;
constexpr uint32_t kModes = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP;
/// Numbers of epolls lie above all of sockets.
constexpr uint32_t kFirstEpoll = QST_FD_FIRST + (1u << 24);

}  // namespace

/// RFC 9293 3.8.5: some of what the program has not read is urgent. Of the packet that it is reading TCP counts all as unread.
bool Sockets::urgent_left(const Socket& socket) const {
  const Packet* const front = socket.received.front();
  const uint32_t read = front == nullptr ? 0u : front->length - front->payload_length;
  return stack_->urgent(socket.handle) > read;
}

/// What of `wanted` holds now. Where a program wants to write and cannot, an event will say when it can.
uint32_t Sockets::ready_events(Socket& socket, uint32_t wanted) {
  uint32_t events = socket.error != 0 ? uint32_t{EPOLLERR} : 0;
  switch (socket.state) {
    case SocketState::fresh:
      events |= kOut | EPOLLHUP;
      break;
    case SocketState::listening:
      events |= socket.waiting != 0 ? kIn : 0;
      break;
    case SocketState::connecting:
      break;
    case SocketState::over:
      events |= kIn | kOut | EPOLLRDHUP | EPOLLHUP;
      break;
    case SocketState::connected: {
      const bool read_ended = socket.ended || socket.read_shut;
      if (read_ended || !socket.received.empty()) events |= kIn;
      if (urgent_left(socket)) events |= EPOLLPRI;
      if (read_ended) events |= EPOLLRDHUP;
      if (read_ended && socket.write_shut) events |= EPOLLHUP;
      if (socket.write_shut || (stack_->writable(socket.handle) >= write_threshold(socket) && packets_left(8))) {
        events |= kOut;
      } else if (wanted & kOut) {
        want_space(socket);
      }
      break;
    }
  }
  return events & (wanted | kAlways);
}

long Sockets::poll(pollfd* sockets, nfds_t count) {
  long ready = 0;
  for (nfds_t i = 0; i < count; ++i) {
    pollfd& one = sockets[i];
    one.revents = 0;
    if (one.fd < 0) continue;
    Socket* const socket = find(one.fd);
    one.revents = socket == nullptr ? POLLNVAL : static_cast<short>(ready_events(*socket, static_cast<uint16_t>(one.events)));
    if (one.revents != 0) ++ready;
  }
  return ready;
}

Epoll* Sockets::find_epoll(int fd) {
  const uint32_t index = static_cast<uint32_t>(fd) - kFirstEpoll;
  if (index >= epolls_.touched() || !epolls_.at(index).named) return nullptr;
  return &epolls_.at(index);
}

long Sockets::epoll_create(int size) {
  if (size <= 0) return -EINVAL;
  const uint32_t index = epolls_.allocate();
  if (index == kNoIndex) return -EMFILE;
  Epoll& epoll = epolls_.at(index);
  epoll = Epoll{};
  epoll.named = true;
  return kFirstEpoll + index;
}

void Sockets::make_ready(uint32_t index) {
  Interest& interest = interests_.at(index);
  if (interest.ready) return;
  interest.ready = true;
  Epoll& epoll = epolls_.at(interest.epoll);
  epoll.ready.push_back(interests_, index);
  ++epoll.ready_count;
}

void Sockets::unready(uint32_t index) {
  Interest& interest = interests_.at(index);
  if (!interest.ready) return;
  interest.ready = false;
  Epoll& epoll = epolls_.at(interest.epoll);
  epoll.ready.unlink(interests_, index);
  --epoll.ready_count;
}

void Sockets::notify(Socket& socket, uint32_t events) {
  for (uint32_t index = socket.interests; index != kNoIndex; index = interests_.at(index).next) {
    const uint32_t wanted = interests_.at(index).events;
    if (wanted != 0 && (events & (wanted | kAlways)) != 0) make_ready(index);
  }
}

/// Where the number of the interest of this epoll stands; there is kNoIndex when it has none.
uint32_t* Sockets::place_of(Socket& socket, uint32_t epoll) {
  uint32_t* place = &socket.interests;
  while (*place != kNoIndex && interests_.at(*place).epoll != epoll) place = &interests_.at(*place).next;
  return place;
}

void Sockets::drop_interest(uint32_t* place) {
  const uint32_t index = *place;
  unready(index);
  *place = interests_.at(index).next;
  interests_.at(index).epoll = kNoIndex;
  interests_.release(index);
}

void Sockets::drop_interests_of_epoll(uint32_t epoll) {
  for (uint32_t index = 0; index < interests_.touched(); ++index) {
    const Interest& interest = interests_.at(index);
    if (interest.epoll == epoll) drop_interest(place_of(sockets_.at(interest.socket), epoll));
  }
}

long Sockets::epoll_ctl(int fd_of_epoll, int operation, int fd, epoll_event* event) {
  Epoll* const epoll = find_epoll(fd_of_epoll);
  Socket* const socket = find(fd);
  if (epoll == nullptr) return find(fd_of_epoll) != nullptr ? -EINVAL : -EBADF;
  if (socket == nullptr) return find_epoll(fd) == nullptr ? -EBADF : fd == fd_of_epoll ? -EINVAL : -EPERM;
  const uint32_t number = epolls_.slot_of(*epoll);
  uint32_t* const place = place_of(*socket, number);
  if (operation == EPOLL_CTL_DEL) {
    if (*place == kNoIndex) return -ENOENT;
    drop_interest(place);
    return 0;
  }
  if (operation != EPOLL_CTL_ADD && operation != EPOLL_CTL_MOD) return -EINVAL;
  if (event == nullptr) return -EFAULT;
  if (event->events & EPOLLEXCLUSIVE) return -EINVAL;
  if (operation == EPOLL_CTL_MOD && *place == kNoIndex) return -ENOENT;
  if (operation == EPOLL_CTL_ADD) {
    if (*place != kNoIndex) return -EEXIST;
    const uint32_t index = interests_.allocate();
    if (index == kNoIndex) return -ENOSPC;
    interests_.at(index) = Interest{};
    interests_.at(index).socket = index_of(*socket);
    interests_.at(index).epoll = number;
    interests_.at(index).next = kNoIndex;
    *place = index;
  }
  Interest& interest = interests_.at(*place);
  interest.events = (event->events & ~kModes) | kAlways;
  interest.edge = event->events & EPOLLET;
  interest.once = event->events & EPOLLONESHOT;
  interest.data = event->data.u64;
  if (ready_events(*socket, interest.events) != 0) make_ready(*place);
  return 0;
}

long Sockets::epoll_wait(int fd, epoll_event* events, int events_max) {
  Epoll* const epoll = find_epoll(fd);
  if (epoll == nullptr) return find(fd) != nullptr ? -EINVAL : -EBADF;
  if (events_max <= 0) return -EINVAL;
  if (events == nullptr) return -EFAULT;
  uint32_t count = 0;
  for (uint32_t left = epoll->ready_count; left > 0 && count < static_cast<uint32_t>(events_max); --left) {
    const uint32_t index = epoll->ready.front();
    unready(index);
    count += report(index, events + count);
  }
  return count;
}

/// 1 when there was something to report.
uint32_t Sockets::report(uint32_t index, epoll_event* out) {
  Interest& interest = interests_.at(index);
  const uint32_t events = ready_events(sockets_.at(interest.socket), interest.events);
  if (events == 0) return 0;
  out->events = events;
  out->data.u64 = interest.data;
  if (interest.once) {
    unready(index);
    interest.events = 0;
  } else if (!interest.edge) {
    make_ready(index);
  }
  return 1;
}

}  // namespace qstack::capi
