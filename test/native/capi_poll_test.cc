// poll() and epoll of the C API: what is ready, level and edge triggered, as Linux has them.
#include <set>

#include "test/native/capi_world.hh"

using namespace qstack::test;

namespace {

/// What poll() says of one socket without waiting.
int polled(qst_stack* stack, int fd, int wanted) {
  pollfd one{fd, static_cast<short>(wanted), 0};
  const int ready = qst_poll(stack, &one, 1, 0);
  CHECK(ready == (one.revents != 0));
  return one.revents;
}

class Waiter {
 public:
  explicit Waiter(qst_stack* stack) : stack_(stack), epoll_(qst_epoll_create(stack, 1)) { CHECK(epoll_ >= QST_FD_FIRST); }
  int control(int operation, int fd, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return qst_epoll_ctl(stack_, epoll_, operation, fd, &event);
  }
  /// Events of `fd` that one wait reports; 0: none. Others are a fault.
  uint32_t events(int fd) {
    epoll_event event{};
    const int count = qst_epoll_wait(stack_, epoll_, &event, 1, 0);
    CHECK(count >= 0);
    if (count == 0) return 0;
    CHECK(int{event.data.fd} == fd);
    return event.events;
  }
  int fd() const { return epoll_; }

 private:
  qst_stack* stack_;
  int epoll_;
};

}  // namespace

TEST_CASE("poll() tells each state of a socket") {
  CapiWorld world;
  constexpr int kAll = POLLIN | POLLOUT | POLLRDHUP;
  const int listener = world.listen();
  CHECK(polled(world.server, listener, kAll) == 0);
  const int fresh = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
  CHECK(polled(world.client, fresh, kAll) == (POLLOUT | POLLHUP));
  const int c = world.connect();
  world.run_ms(1);  // its ACK waits a turn for data
  CHECK(polled(world.server, listener, kAll) == POLLIN);
  const int s = qst_accept(world.server, listener, nullptr, nullptr);
  CHECK(polled(world.server, listener, kAll) == 0);
  CHECK(polled(world.server, s, kAll) == POLLOUT);
  CHECK(qst_write(world.client, c, "x", 1) == 1);
  world.run_ms(1);
  CHECK(polled(world.server, s, kAll) == (POLLIN | POLLOUT));
  CHECK(polled(world.server, s, POLLIN) == POLLIN);
  CHECK(polled(world.server, s, POLLRDNORM) == POLLRDNORM);
  CHECK(world.read_all(world.server, s) == "x");
  CHECK(qst_shutdown(world.client, c, SHUT_WR) == 0);
  world.run_ms(1);
  CHECK(polled(world.server, s, kAll) == (POLLIN | POLLOUT | POLLRDHUP));
  CHECK(qst_shutdown(world.server, s, SHUT_WR) == 0);
  CHECK(polled(world.server, s, 0) == POLLHUP);
  CHECK(polled(world.server, 7, POLLIN) == POLLNVAL);
  CHECK(polled(world.server, -1, POLLIN) == 0);
}

TEST_CASE("poll() tells the fate of a connect()") {
  CapiWorld world;
  constexpr int kAll = POLLIN | POLLOUT;
  const int refused = world.connect(81, SOCK_STREAM | SOCK_NONBLOCK);
  CHECK(polled(world.client, refused, kAll) == 0);
  world.run_ms(1);
  CHECK(polled(world.client, refused, kAll) == (POLLIN | POLLOUT | POLLERR | POLLHUP));
  CHECK(world.error(world.client, refused) == ECONNREFUSED);
  CHECK(polled(world.client, refused, kAll) == (POLLIN | POLLOUT | POLLHUP));
  world.listen();
  const int opened = world.connect(80, SOCK_STREAM | SOCK_NONBLOCK);
  world.run_ms(1);
  CHECK(polled(world.client, opened, kAll) == POLLOUT);
}

TEST_CASE("poll() waits for the first of several sockets, and no longer than told") {
  CapiWorld world;
  auto [c, s] = world.open();
  const int listener = world.listen(90);
  pollfd list[] = {{listener, POLLIN, 0}, {s, POLLIN, 0}};
  uint64_t before = world.now_ns;
  CHECK(qst_poll(world.server, list, 2, 250) == 0);
  CHECK(world.now_ns - before >= 250'000'000);
  CHECK(world.now_ns - before < 251'000'000);
  CHECK(qst_write(world.client, c, "x", 1) == 1);
  before = world.now_ns;
  CHECK(qst_poll(world.server, list, 2, -1) == 1);
  CHECK(list[0].revents == 0);
  CHECK(list[1].revents == POLLIN);
  CHECK(world.now_ns - before < 10'000'000);
  CHECK_ERRNO(qst_poll(world.server, nullptr, 1, 0), EFAULT);
  CHECK(qst_poll(world.server, nullptr, 0, 0) == 0);
}

TEST_CASE("POLLOUT ends when the send buffer is full and returns when a third of it is free") {
  CapiWorld world({.receive_buffer = 4'096, .send_buffer = 30'000});
  auto [c, s] = world.open(SOCK_STREAM | SOCK_NONBLOCK);
  const std::string bytes = bytes_of(100'000);
  const auto fill = [&, client = c] {
    while (qst_write(world.client, client, bytes.data(), bytes.size()) > 0) world.run_ms(1);
    CHECK(errno == EAGAIN);
  };
  fill();
  world.run_ms(10);
  CHECK(polled(world.client, c, POLLOUT) == 0);
  CHECK(world.run_until([&, client = c, server = s] {
    world.read_all(world.server, server);
    return polled(world.client, client, POLLOUT) == POLLOUT;
  }));
  const uint32_t unsent = world.client->stack().unsent(world.client->sockets().find(c)->handle);
  CHECK(unsent <= 20'000);
}

TEST_CASE("a level triggered epoll reports what is ready each time, in turn") {
  CapiWorld world;
  auto [c, s] = world.open();
  Waiter waiter(world.server);
  CHECK(waiter.control(EPOLL_CTL_ADD, s, EPOLLIN) == 0);
  CHECK(waiter.events(s) == 0);
  CHECK(qst_write(world.client, c, "xy", 2) == 2);
  world.run_ms(1);
  for (int i = 0; i < 3; ++i) CHECK(waiter.events(s) == EPOLLIN);
  char byte;
  CHECK(qst_read(world.server, s, &byte, 1) == 1);
  CHECK(waiter.events(s) == EPOLLIN);
  CHECK(qst_read(world.server, s, &byte, 1) == 1);
  CHECK(waiter.events(s) == 0);
  CHECK(waiter.control(EPOLL_CTL_MOD, s, EPOLLIN | EPOLLOUT) == 0);
  CHECK(waiter.events(s) == EPOLLOUT);
  CHECK(waiter.control(EPOLL_CTL_DEL, s, 0) == 0);
  CHECK(waiter.events(s) == 0);
}

TEST_CASE("a wait with little room gives every ready socket its turn") {
  CapiWorld world;
  const int listener = world.listen();
  Waiter waiter(world.server);
  int fds[4];
  for (int& fd : fds) {
    const int c = world.connect();
    fd = qst_accept(world.server, listener, nullptr, nullptr);
    CHECK(waiter.control(EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
    CHECK(qst_write(world.client, c, "x", 1) == 1);
  }
  world.run_ms(1);
  std::set<int> seen;
  for (int i = 0; i < 4; ++i) {
    epoll_event event{};
    CHECK(qst_epoll_wait(world.server, waiter.fd(), &event, 1, 0) == 1);
    seen.insert(event.data.fd);
  }
  CHECK(seen.size() == 4);
}

TEST_CASE("an edge triggered epoll reports once for each arrival, and for room only after it was gone") {
  CapiWorld world({.receive_buffer = 4'096, .send_buffer = 30'000});
  auto [c, s] = world.open(SOCK_STREAM | SOCK_NONBLOCK);
  Waiter waiter(world.server);
  CHECK(waiter.control(EPOLL_CTL_ADD, s, EPOLLIN | EPOLLET) == 0);
  for (int round = 0; round < 2; ++round) {
    CHECK(qst_write(world.client, c, "xy", 2) == 2);
    world.run_ms(50);  // beyond the delayed ACK that the second one waits for
    CHECK(waiter.events(s) == EPOLLIN);
    CHECK(waiter.events(s) == 0);  // although nothing was read
  }
  Waiter writer(world.client);
  CHECK(writer.control(EPOLL_CTL_ADD, c, EPOLLOUT | EPOLLET) == 0);
  CHECK(writer.events(c) == EPOLLOUT);
  world.run_ms(10);
  CHECK(writer.events(c) == 0);
  const std::string bytes = bytes_of(100'000);
  while (qst_write(world.client, c, bytes.data(), bytes.size()) > 0) world.run_ms(1);
  CHECK(writer.events(c) == 0);
  CHECK(world.run_until([&, client = c, server = s] {
    world.read_all(world.server, server);
    return writer.events(client) == EPOLLOUT;
  }));
  CHECK(qst_write(world.client, c, "x", 1) == 1);
}

TEST_CASE("EPOLLONESHOT is silent after one report until it is set again") {
  CapiWorld world;
  auto [c, s] = world.open();
  Waiter waiter(world.server);
  CHECK(waiter.control(EPOLL_CTL_ADD, s, EPOLLOUT | EPOLLONESHOT) == 0);
  CHECK(waiter.events(s) == EPOLLOUT);
  CHECK(waiter.events(s) == 0);
  CHECK(qst_close(world.client, c) == 0);
  world.run_ms(1);
  CHECK(waiter.events(s) == 0);
  CHECK(waiter.control(EPOLL_CTL_MOD, s, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT) == 0);
  CHECK(waiter.events(s) == (EPOLLIN | EPOLLRDHUP));
}

TEST_CASE("EPOLLERR and EPOLLHUP are reported without being asked for") {
  CapiWorld world;
  const int refused = world.connect(81, SOCK_STREAM | SOCK_NONBLOCK);
  Waiter waiter(world.client);
  CHECK(waiter.control(EPOLL_CTL_ADD, refused, 0) == 0);
  CHECK(waiter.events(refused) == 0);
  world.run_ms(1);
  CHECK(waiter.events(refused) == (EPOLLERR | EPOLLHUP));
}

TEST_CASE("epoll_ctl() and epoll_wait() refuse what makes no sense") {
  CapiWorld world;
  const int listener = world.listen();
  Waiter waiter(world.server);
  CHECK_ERRNO(qst_epoll_create(world.server, 0), EINVAL);
  CHECK_ERRNO(waiter.control(EPOLL_CTL_MOD, listener, EPOLLIN), ENOENT);
  CHECK_ERRNO(waiter.control(EPOLL_CTL_DEL, listener, EPOLLIN), ENOENT);
  CHECK(waiter.control(EPOLL_CTL_ADD, listener, EPOLLIN) == 0);
  CHECK_ERRNO(waiter.control(EPOLL_CTL_ADD, listener, EPOLLIN), EEXIST);
  CHECK_ERRNO(waiter.control(EPOLL_CTL_ADD, 5, EPOLLIN), EBADF);
  CHECK_ERRNO(waiter.control(EPOLL_CTL_ADD, waiter.fd(), EPOLLIN), EINVAL);
  CHECK_ERRNO(waiter.control(EPOLL_CTL_ADD, Waiter(world.server).fd(), EPOLLIN), EPERM);
  CHECK_ERRNO(waiter.control(9, listener, EPOLLIN), EINVAL);
  CHECK_ERRNO(waiter.control(EPOLL_CTL_MOD, listener, EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
  CHECK_ERRNO(qst_epoll_ctl(world.server, waiter.fd(), EPOLL_CTL_MOD, listener, nullptr), EFAULT);
  epoll_event event{};
  CHECK_ERRNO(qst_epoll_ctl(world.server, listener, EPOLL_CTL_ADD, listener, &event), EINVAL);
  CHECK_ERRNO(qst_epoll_wait(world.server, listener, &event, 1, 0), EINVAL);
  CHECK_ERRNO(qst_epoll_wait(world.server, waiter.fd(), &event, 0, 0), EINVAL);
  CHECK_ERRNO(qst_epoll_wait(world.server, waiter.fd(), nullptr, 1, 0), EFAULT);
}

TEST_CASE("closed sockets leave their epolls, and closed epolls their sockets") {
  CapiWorld world;
  auto [c, s] = world.open();
  Waiter first(world.server), second(world.server);
  for (Waiter* const waiter : {&first, &second}) CHECK(waiter->control(EPOLL_CTL_ADD, s, EPOLLOUT) == 0);
  CHECK(first.events(s) == EPOLLOUT);
  CHECK(qst_close(world.server, first.fd()) == 0);
  epoll_event event{};
  CHECK_ERRNO(qst_epoll_wait(world.server, first.fd(), &event, 1, 0), EBADF);
  CHECK(second.events(s) == EPOLLOUT);
  CHECK(qst_close(world.server, s) == 0);
  CHECK(second.events(s) == 0);
  CHECK(qst_close(world.server, second.fd()) == 0);
  CHECK(qst_close(world.client, c) == 0);
  CHECK(world.nothing_left());
}

TEST_CASE("there are as many epolls, and interests, as were asked for") {
  CapiWorld world({.sockets = 2});
  int epolls[4];
  for (int& epoll : epolls) epoll = qst_epoll_create(world.client, 1);
  CHECK(epolls[3] >= 0);
  CHECK_ERRNO(qst_epoll_create(world.client, 1), EMFILE);
  const int fds[] = {qst_socket(world.client, AF_INET, SOCK_STREAM, 0), qst_socket(world.client, AF_INET, SOCK_STREAM, 0)};
  epoll_event event{};
  event.events = EPOLLIN;
  for (int i = 0; i < 4; ++i) CHECK(qst_epoll_ctl(world.client, epolls[i / 2], EPOLL_CTL_ADD, fds[i % 2], &event) == 0);
  CHECK_ERRNO(qst_epoll_ctl(world.client, epolls[2], EPOLL_CTL_ADD, fds[0], &event), ENOSPC);
}

TEST_CASE("a server that serves by edges, and a client by levels, pass on every byte") {
  CapiWorld world({.receive_buffer = 6'000, .send_buffer = 9'000});
  auto [c, s] = world.open(SOCK_STREAM | SOCK_NONBLOCK);
  Waiter client(world.client), server(world.server);
  CHECK(client.control(EPOLL_CTL_ADD, c, EPOLLIN | EPOLLOUT) == 0);
  CHECK(server.control(EPOLL_CTL_ADD, s, EPOLLIN | EPOLLOUT | EPOLLET) == 0);
  const std::string sent = bytes_of(200'000);
  size_t written = 0;
  std::string echo, back;
  CHECK(world.run_until([&, c = c, s = s] {
    const uint32_t at_client = client.events(c);
    if ((at_client & EPOLLOUT) && written < sent.size()) {
      const ssize_t n = qst_write(world.client, c, sent.data() + written, std::min<size_t>(700, sent.size() - written));
      if (n > 0) written += static_cast<size_t>(n);
    }
    if (at_client & EPOLLIN) back += world.read_all(world.client, c);
    if (server.events(s) != 0) {
      echo += world.read_all(world.server, s);
      ssize_t n;
      while (!echo.empty() && (n = qst_write(world.server, s, echo.data(), echo.size())) > 0) echo.erase(0, static_cast<size_t>(n));
    }
    return back.size() == sent.size();
  }, 120'000));
  CHECK(back == sent);
}
