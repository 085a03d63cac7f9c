#include "native/stack/doorbell.hh"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace qstack {

Doorbell::Doorbell() : rings_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), ready_(epoll_create1(EPOLL_CLOEXEC)) {
  // By edges, so that nobody has to read its counter.
  epoll_event wanted{.events = EPOLLIN | EPOLLET, .data = {}};
  if (rings_.get() < 0 || ready_.get() < 0 || epoll_ctl(ready_.get(), EPOLL_CTL_ADD, rings_.get(), &wanted) != 0) {
    throw std::system_error(errno, std::generic_category(), "a doorbell cannot be made");
  }
}

void Doorbell::watch(int fd) {
  epoll_event wanted{.events = EPOLLIN, .data = {}};
  if (epoll_ctl(ready_.get(), EPOLL_CTL_ADD, fd, &wanted) == 0 || errno == EEXIST) return;
  throw std::system_error(errno, std::generic_category(), "a doorbell cannot watch a port");
}

bool Doorbell::sleep(Nanos most) {
  pollfd wanted{ready_.get(), POLLIN, 0};
  const timespec limit{static_cast<time_t>(most / 1'000'000'000), static_cast<long>(most % 1'000'000'000)};
  std::array<epoll_event, 2> told;
  if (ppoll(&wanted, 1, &limit, nullptr) <= 0) return false;
  epoll_wait(ready_.get(), told.data(), told.size(), 0);
  return true;
}

void Doorbell::write() { eventfd_write(rings_.get(), 1); }

}  // namespace qstack
