// Sockets of the C API: names, connections, their ends and their errors, as POSIX and Linux have them.
#include "test/native/capi_world.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

bool is(const sockaddr_in6& address, const char* text) {
  const sockaddr_in6 expected = ipv6(text, 0);
  return std::memcmp(&address.sin6_addr, &expected.sin6_addr, sizeof(expected.sin6_addr)) == 0;
}

}  // namespace

TEST_CASE("socket() knows stream sockets of both families, and says what it does not know") {
  CapiWorld world;
  const int fd = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= QST_FD_FIRST);
  CHECK(qst_socket(world.client, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP) >= QST_FD_FIRST);
  CHECK_ERRNO(qst_socket(world.client, AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
  CHECK_ERRNO(qst_socket(world.client, AF_INET, SOCK_DGRAM, 0), EPROTONOSUPPORT);
  CHECK_ERRNO(qst_socket(world.client, AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
  CHECK_ERRNO(qst_socket(nullptr, AF_INET, SOCK_STREAM, 0), EINVAL);
}

TEST_CASE("there are as many sockets as were asked for, and a closed one makes room") {
  CapiWorld world({.sockets = 3});
  int fds[3];
  for (int& fd : fds) fd = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
  CHECK(fds[2] >= 0);
  CHECK_ERRNO(qst_socket(world.client, AF_INET, SOCK_STREAM, 0), EMFILE);
  CHECK(qst_close(world.client, fds[1]) == 0);
  CHECK_ERRNO(qst_close(world.client, fds[1]), EBADF);
  CHECK(qst_socket(world.client, AF_INET, SOCK_STREAM, 0) >= 0);
}

TEST_CASE("a call with a number that is no socket fails with EBADF") {
  CapiWorld world;
  char byte = 0;
  sockaddr_in address = ipv4("10.0.0.1", 80);
  socklen_t length = sizeof(address);
  for (const int fd : {-1, 0, QST_FD_FIRST, QST_FD_FIRST + 100'000}) {
    CHECK_ERRNO(qst_bind(world.client, fd, generic(address), length), EBADF);
    CHECK_ERRNO(qst_listen(world.client, fd, 1), EBADF);
    CHECK_ERRNO(qst_accept(world.client, fd, nullptr, nullptr), EBADF);
    CHECK_ERRNO(qst_connect(world.client, fd, generic(address), length), EBADF);
    CHECK_ERRNO(qst_read(world.client, fd, &byte, 1), EBADF);
    CHECK_ERRNO(qst_write(world.client, fd, &byte, 1), EBADF);
    CHECK_ERRNO(qst_sendto(world.client, fd, &byte, 1, 0, generic(address), length), EBADF);
    CHECK_ERRNO(qst_shutdown(world.client, fd, SHUT_WR), EBADF);
    CHECK_ERRNO(qst_fcntl(world.client, fd, F_GETFL), EBADF);
    CHECK_ERRNO(qst_setsockopt(world.client, fd, SOL_SOCKET, SO_REUSEADDR, &byte, 1), EBADF);
    CHECK_ERRNO(qst_getsockname(world.client, fd, reinterpret_cast<sockaddr*>(&address), &length), EBADF);
    CHECK_ERRNO(qst_epoll_wait(world.client, fd, nullptr, 1, 0), EBADF);
    CHECK_ERRNO(qst_close(world.client, fd), EBADF);
  }
}

TEST_CASE("bind() refuses foreign addresses, ports in use, other families and a second time") {
  CapiWorld world;
  const int fd = qst_socket(world.server, AF_INET, SOCK_STREAM, 0);
  const sockaddr_in foreign = ipv4("10.0.0.9", 80), own = ipv4("10.0.0.1", 80);
  const sockaddr_in6 other = ipv6("fd00::1", 80);
  CHECK_ERRNO(qst_bind(world.server, fd, generic(foreign), sizeof(foreign)), EADDRNOTAVAIL);
  CHECK_ERRNO(qst_bind(world.server, fd, generic(other), sizeof(other)), EAFNOSUPPORT);
  CHECK_ERRNO(qst_bind(world.server, fd, generic(own), 7), EINVAL);
  CHECK_ERRNO(qst_bind(world.server, fd, nullptr, sizeof(own)), EFAULT);
  CHECK(qst_bind(world.server, fd, generic(own), sizeof(own)) == 0);
  CHECK_ERRNO(qst_bind(world.server, fd, generic(own), sizeof(own)), EINVAL);
  const int second = qst_socket(world.server, AF_INET, SOCK_STREAM, 0);
  const sockaddr_in any = ipv4("0.0.0.0", 80);
  CHECK_ERRNO(qst_bind(world.server, second, generic(any), sizeof(any)), EADDRINUSE);
  const int on = 1;
  for (const int one : {fd, second}) CHECK(qst_setsockopt(world.server, one, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
  CHECK(qst_bind(world.server, second, generic(any), sizeof(any)) == 0);
  CHECK(qst_listen(world.server, fd, 1) == 0);
  CHECK_ERRNO(qst_listen(world.server, second, 1), EADDRINUSE);
}

TEST_CASE("port 0 is a free port, which getsockname() tells") {
  CapiWorld world;
  uint16_t ports[2];
  for (uint16_t& port : ports) {
    const int fd = qst_socket(world.server, AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = ipv4("0.0.0.0", 0);
    socklen_t length = sizeof(address);
    CHECK(qst_bind(world.server, fd, generic(address), sizeof(address)) == 0);
    CHECK(qst_getsockname(world.server, fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    CHECK(length == sizeof(address));
    port = ntohs(address.sin_port);
  }
  CHECK(ports[0] >= 1'024);
  CHECK(ports[0] != ports[1]);
}

TEST_CASE("a connection: both sides know both names, bytes go both ways, and the end is read as 0") {
  CapiWorld world;
  const int listener = world.listen();
  const int c = world.connect();
  sockaddr_in from{};
  socklen_t length = sizeof(from);
  const int s = qst_accept(world.server, listener, reinterpret_cast<sockaddr*>(&from), &length);
  REQUIRE(s >= 0);
  sockaddr_in name{};
  length = sizeof(name);
  CHECK(qst_getsockname(world.client, c, reinterpret_cast<sockaddr*>(&name), &length) == 0);
  CHECK(std::memcmp(&name, &from, sizeof(name)) == 0);
  CHECK(name.sin_addr.s_addr == inet_addr("10.0.0.2"));
  length = sizeof(name);
  CHECK(qst_getpeername(world.client, c, reinterpret_cast<sockaddr*>(&name), &length) == 0);
  CHECK(ntohs(name.sin_port) == 80);

  CHECK(qst_write(world.client, c, "question", 8) == 8);
  char buffer[64];
  CHECK(qst_read(world.server, s, buffer, sizeof(buffer)) == 8);
  CHECK(std::string(buffer, 8) == "question");
  CHECK(qst_write(world.server, s, "answer", 6) == 6);
  CHECK(qst_read(world.client, c, buffer, 3) == 3);
  CHECK(qst_read(world.client, c, buffer + 3, sizeof(buffer)) == 3);
  CHECK(std::string(buffer, 6) == "answer");
  CHECK(qst_close(world.client, c) == 0);
  CHECK(qst_read(world.server, s, buffer, sizeof(buffer)) == 0);
  CHECK(qst_close(world.server, s) == 0);
  CHECK(qst_close(world.server, listener) == 0);
  CHECK(world.nothing_left());
}

TEST_CASE("IPv6 sockets speak IPv6, and with IPv4 peers by mapped addresses unless IPV6_V6ONLY is set") {
  CapiWorld world;
  for (const bool only : {false, true}) {
    const int listener = qst_socket(world.server, AF_INET6, SOCK_STREAM, 0);
    const int value = only;
    const uint16_t port = only ? 91 : 90;
    const sockaddr_in6 any = ipv6("::", port);
    CHECK(qst_setsockopt(world.server, listener, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof(value)) == 0);
    CHECK(qst_bind(world.server, listener, generic(any), sizeof(any)) == 0);
    CHECK_ERRNO(qst_setsockopt(world.server, listener, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof(value)), EINVAL);
    CHECK(qst_listen(world.server, listener, 4) == 0);

    const int c6 = qst_socket(world.client, AF_INET6, SOCK_STREAM, 0);
    const sockaddr_in6 to = ipv6("fd00::1", port);
    CHECK(qst_connect(world.client, c6, generic(to), sizeof(to)) == 0);
    sockaddr_in6 from{};
    socklen_t length = sizeof(from);
    CHECK(qst_accept(world.server, listener, reinterpret_cast<sockaddr*>(&from), &length) >= 0);
    CHECK(length == sizeof(from));
    CHECK(is(from, "fd00::2"));

    const int c4 = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
    const sockaddr_in to4 = ipv4("10.0.0.1", port);
    const int result = qst_connect(world.client, c4, generic(to4), sizeof(to4));
    CHECK(result == (only ? -1 : 0));
    if (only) CHECK(errno == ECONNREFUSED);
    if (!only) {
      length = sizeof(from);
      CHECK(qst_accept(world.server, listener, reinterpret_cast<sockaddr*>(&from), &length) >= 0);
      CHECK(is(from, "::ffff:10.0.0.2"));
    }
    CHECK(qst_close(world.server, listener) == 0);
    world.run_ms(10);
  }
}

TEST_CASE("an IPv4 listener at 0.0.0.0 does not serve IPv6") {
  CapiWorld world;
  world.listen();
  const int fd = qst_socket(world.client, AF_INET6, SOCK_STREAM, 0);
  const sockaddr_in6 to = ipv6("fd00::1", 80);
  CHECK_ERRNO(qst_connect(world.client, fd, generic(to), sizeof(to)), ECONNREFUSED);
}

TEST_CASE("connect() that does not block: EINPROGRESS, EALREADY, then success, then EISCONN") {
  CapiWorld world;
  world.listen();
  const int fd = qst_socket(world.client, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const sockaddr_in to = ipv4("10.0.0.1", 80);
  char byte = 'x';
  CHECK_ERRNO(qst_read(world.client, fd, &byte, 1), ENOTCONN);
  CHECK_ERRNO(qst_write(world.client, fd, &byte, 1), ENOTCONN);
  CHECK_ERRNO(qst_shutdown(world.client, fd, SHUT_WR), ENOTCONN);
  CHECK_ERRNO(qst_connect(world.client, fd, generic(to), sizeof(to)), EINPROGRESS);
  CHECK_ERRNO(qst_connect(world.client, fd, generic(to), sizeof(to)), EALREADY);
  CHECK_ERRNO(qst_read(world.client, fd, &byte, 1), EAGAIN);
  CHECK_ERRNO(qst_write(world.client, fd, &byte, 1), EAGAIN);
  world.run_ms(10);
  CHECK(world.error(world.client, fd) == 0);
  CHECK_ERRNO(qst_connect(world.client, fd, generic(to), sizeof(to)), EISCONN);
  CHECK(qst_write(world.client, fd, &byte, 1) == 1);
}

TEST_CASE("a refused connect() leaves ECONNREFUSED once, and may be tried again") {
  CapiWorld world;
  const int fd = qst_socket(world.client, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const sockaddr_in to = ipv4("10.0.0.1", 80);
  CHECK_ERRNO(qst_connect(world.client, fd, generic(to), sizeof(to)), EINPROGRESS);
  world.run_ms(10);
  CHECK(world.error(world.client, fd) == ECONNREFUSED);
  CHECK(world.error(world.client, fd) == 0);
  char byte;
  CHECK_ERRNO(qst_read(world.client, fd, &byte, 1), ENOTCONN);
  world.listen();
  CHECK_ERRNO(qst_connect(world.client, fd, generic(to), sizeof(to)), EINPROGRESS);
  world.run_ms(10);
  CHECK(world.error(world.client, fd) == 0);
  CHECK(qst_write(world.client, fd, "x", 1) == 1);
}

TEST_CASE("connect() to nobody: EHOSTUNREACH without an answer to ARP, ENETUNREACH without a route or to oneself") {
  CapiWorld world;
  const auto fault = [&](const char* address, uint16_t port) {
    const int fd = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
    const sockaddr_in to = ipv4(address, port);
    const int result = qst_connect(world.client, fd, generic(to), sizeof(to));
    const int error = errno;
    CHECK(result == -1);
    CHECK(qst_close(world.client, fd) == 0);
    return error;
  };
  CHECK(fault("10.0.0.9", 80) == EHOSTUNREACH);
  CHECK(fault("192.0.2.1", 80) == ENETUNREACH);
  CHECK(fault("10.0.0.2", 80) == ENETUNREACH);
  CHECK(fault("0.0.0.0", 80) == ENETUNREACH);
  CHECK(fault("224.0.0.1", 80) == ENETUNREACH);
  CHECK(fault("10.0.0.1", 0) == EADDRNOTAVAIL);
}

TEST_CASE("a listening socket is no connection, and a connection is no listener") {
  CapiWorld world;
  const int listener = world.listen();
  char byte = 0;
  const sockaddr_in to = ipv4("10.0.0.2", 80);
  CHECK_ERRNO(qst_read(world.server, listener, &byte, 1), ENOTCONN);
  CHECK_ERRNO(qst_write(world.server, listener, &byte, 1), ENOTCONN);
  CHECK_ERRNO(qst_connect(world.server, listener, generic(to), sizeof(to)), EOPNOTSUPP);
  CHECK(world.option(world.server, listener, SOL_SOCKET, SO_ACCEPTCONN) == 1);
  const int c = world.connect();
  CHECK_ERRNO(qst_listen(world.client, c, 1), EINVAL);
  CHECK_ERRNO(qst_accept(world.client, c, nullptr, nullptr), EINVAL);
  CHECK(world.option(world.client, c, SOL_SOCKET, SO_ACCEPTCONN) == 0);
}

TEST_CASE("the backlog holds so many connections; one more is completed when one was accepted") {
  CapiWorld world;
  const int listener = world.listen(80, 2, SOCK_STREAM | SOCK_NONBLOCK);
  CHECK_ERRNO(qst_accept(world.server, listener, nullptr, nullptr), EAGAIN);
  for (int i = 0; i < 3; ++i) world.connect(80, SOCK_STREAM | SOCK_NONBLOCK);
  world.run_ms(100);
  CHECK(world.count(world.server, "connections_opened") == 2);
  CHECK(qst_accept(world.server, listener, nullptr, nullptr) >= 0);
  CHECK(world.run_until([&] { return world.count(world.server, "connections_opened") == 3; }));
  CHECK(qst_accept(world.server, listener, nullptr, nullptr) >= 0);
  CHECK(qst_accept(world.server, listener, nullptr, nullptr) >= 0);
  CHECK_ERRNO(qst_accept(world.server, listener, nullptr, nullptr), EAGAIN);
}

TEST_CASE("a connection that its peer resets before accept() is accepted, and then tells the reset") {
  CapiWorld world;
  const int listener = world.listen();
  const int c = world.connect();
  const linger at_once{1, 0};
  CHECK(qst_setsockopt(world.client, c, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
  world.run_ms(1);
  CHECK(qst_close(world.client, c) == 0);
  world.run_ms(1);
  const int s = qst_accept(world.server, listener, nullptr, nullptr);
  CHECK(s >= 0);
  char byte;
  CHECK_ERRNO(qst_read(world.server, s, &byte, 1), ECONNRESET);
  CHECK(qst_read(world.server, s, &byte, 1) == 0);
  CHECK_ERRNO(qst_write(world.server, s, &byte, 1), EPIPE);
  CHECK_ERRNO(qst_getpeername(world.server, s, reinterpret_cast<sockaddr*>(&byte), nullptr), ENOTCONN);
}

TEST_CASE("close() of a listener resets who waits for accept, and frees the port") {
  CapiWorld world;
  const int listener = world.listen();
  const int c = world.connect();
  world.run_ms(1);
  CHECK(qst_close(world.server, listener) == 0);
  world.run_ms(1);
  char byte;
  CHECK_ERRNO(qst_read(world.client, c, &byte, 1), ECONNRESET);
  CHECK(qst_close(world.client, c) == 0);
  for (int i = 0; i < 70'000; ++i) {  // more often than there are numbers of listeners
    const int again = world.listen();
    if (qst_close(world.server, again) != 0) FAIL("not closed");
  }
  CHECK(world.nothing_left());
}

TEST_CASE("close() with unread bytes resets (RFC 1122 4.2.2.13), and without them ends in order") {
  CapiWorld world;
  auto [c, s] = world.open();
  CHECK(qst_write(world.client, c, "unread", 6) == 6);
  world.run_ms(1);
  CHECK(qst_close(world.server, s) == 0);
  world.run_ms(1);
  char byte;
  CHECK_ERRNO(qst_read(world.client, c, &byte, 1), ECONNRESET);
  CHECK(world.count(world.server, "resets_out") == 1);
  CHECK(qst_close(world.client, c) == 0);
  CHECK(world.nothing_left());
}

TEST_CASE("what was written before close() arrives, and then the end") {
  CapiWorld world;
  auto [c, s] = world.open();
  const std::string sent = bytes_of(100'000);
  CHECK(qst_write(world.client, c, sent.data(), sent.size()) == static_cast<ssize_t>(sent.size()));
  CHECK(qst_close(world.client, c) == 0);
  std::string received(sent.size() + 1, '\0');
  CHECK(qst_recv(world.server, s, received.data(), received.size(), MSG_WAITALL) == static_cast<ssize_t>(sent.size()));
  received.pop_back();
  CHECK(received == sent);
  char byte;
  CHECK(qst_read(world.server, s, &byte, 1) == 0);
  CHECK(qst_close(world.server, s) == 0);
  CHECK(world.nothing_left());
}

TEST_CASE("half close: after shutdown(SHUT_WR) the peer reads 0 and may go on writing") {
  CapiWorld world;
  auto [c, s] = world.open();
  CHECK(qst_shutdown(world.client, c, SHUT_WR) == 0);
  char buffer[16];
  CHECK_ERRNO(qst_write(world.client, c, "x", 1), EPIPE);
  CHECK(qst_read(world.server, s, buffer, sizeof(buffer)) == 0);
  CHECK(qst_write(world.server, s, "later", 5) == 5);
  CHECK(qst_read(world.client, c, buffer, sizeof(buffer)) == 5);
  CHECK(qst_shutdown(world.server, s, SHUT_RDWR) == 0);
  CHECK(qst_read(world.client, c, buffer, sizeof(buffer)) == 0);
  CHECK_ERRNO(qst_shutdown(world.client, c, 3), EINVAL);
  CHECK(qst_close(world.client, c) == 0);
  CHECK(qst_close(world.server, s) == 0);
  CHECK(world.nothing_left());
}

TEST_CASE("after shutdown(SHUT_RD) what comes is thrown away, and reads give 0") {
  CapiWorld world;
  auto [c, s] = world.open();
  CHECK(qst_shutdown(world.server, s, SHUT_RD) == 0);
  char byte;
  CHECK(qst_read(world.server, s, &byte, 1) == 0);
  const std::string sent = bytes_of(300'000);  // more than any window
  CHECK(qst_write(world.client, c, sent.data(), sent.size()) == static_cast<ssize_t>(sent.size()));
  const auto* client = world.client->sockets().find(c);
  CHECK(world.run_until([&] { return world.client->stack().unsent(client->handle) == 0; }));
  CHECK(qst_read(world.server, s, &byte, 1) == 0);
  CHECK(qst_close(world.client, c) == 0);
  CHECK(qst_close(world.server, s) == 0);
  CHECK(world.nothing_left());
}

TEST_CASE("the window closes when nobody reads, and opens when somebody does") {
  CapiWorld world({.receive_buffer = 8'192, .send_buffer = 16'384});
  auto [c, s] = world.open(SOCK_STREAM | SOCK_NONBLOCK);
  const std::string sent = bytes_of(100'000);
  size_t written = 0;
  std::string received;
  const auto write = [&, &c = c] {
    const ssize_t n = qst_write(world.client, c, sent.data() + written, sent.size() - written);
    if (n > 0) written += static_cast<size_t>(n);
    return n;
  };
  while (write() > 0) world.run_ms(1);
  world.run_ms(100);
  CHECK_ERRNO(write(), EAGAIN);
  CHECK(written <= 8'192 + 16'384);
  CHECK(written >= 16'384);
  CHECK(world.run_until([&, &s = s] {
    write();
    received += world.read_all(world.server, s);
    return received.size() == sent.size();
  }));
  CHECK(received == sent);
}

TEST_CASE("many small segments of a peer do not keep a packet each") {
  CapiWorld world({.packets = 128});
  auto [c, s] = world.open(SOCK_STREAM | SOCK_NONBLOCK);
  const int on = 1;
  CHECK(qst_setsockopt(world.client, c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
  const std::string sent = bytes_of(1'000);
  for (const char byte : sent) {  // each in a segment of its own: nothing waits
    CHECK(qst_write(world.client, c, &byte, 1) == 1);
    world.run_us(200);
  }
  CHECK(world.read_all(world.server, s) == sent);
}

TEST_CASE("small writes that wait travel in few segments") {
  CapiWorld world;
  auto [c, s] = world.open(SOCK_STREAM | SOCK_NONBLOCK);
  const std::string sent = bytes_of(14'000);
  const uint64_t before = world.count(world.client, "tx_packets");
  for (size_t at = 0; at < sent.size(); at += 7) CHECK(qst_write(world.client, c, sent.data() + at, 7) == 7);
  std::string received;
  CHECK(world.run_until([&, &s = s] { return (received += world.read_all(world.server, s)).size() == sent.size(); }));
  CHECK(received == sent);
  CHECK(world.count(world.client, "tx_packets") - before < 40);
}

TEST_CASE("readv() and writev() take pieces, empty ones among them") {
  CapiWorld world;
  auto [c, s] = world.open();
  char a[] = "first ", b[] = "second";
  const iovec out[] = {{a, 6}, {nullptr, 0}, {b, 6}, {nullptr, 0}};
  CHECK(qst_writev(world.client, c, out, 4) == 12);
  char x[4], y[64];
  const iovec in[] = {{nullptr, 0}, {x, sizeof(x)}, {y, sizeof(y)}};
  world.run_ms(1);
  CHECK(qst_readv(world.server, s, in, 3) == 12);
  CHECK(std::string(x, 4) + std::string(y, 8) == "first second");
  CHECK(qst_writev(world.client, c, out, 0) == 0);
  CHECK_ERRNO(qst_writev(world.client, c, out, -1), EINVAL);
  CHECK_ERRNO(qst_writev(world.client, c, nullptr, 1), EFAULT);
  CHECK_ERRNO(qst_write(world.client, c, nullptr, 1), EFAULT);
  const iovec huge[] = {{a, SIZE_MAX / 2}, {b, SIZE_MAX / 2}};
  CHECK_ERRNO(qst_writev(world.client, c, huge, 2), EINVAL);
}

TEST_CASE("MSG_PEEK leaves the bytes, MSG_WAITALL waits for all, MSG_DONTWAIT for none, others are refused") {
  CapiWorld world;
  auto [c, s] = world.open();
  char buffer[16];
  CHECK_ERRNO(qst_recv(world.server, s, buffer, 4, MSG_DONTWAIT), EAGAIN);
  CHECK(qst_send(world.client, c, "abcd", 4, MSG_NOSIGNAL) == 4);
  CHECK(qst_recv(world.server, s, buffer, 2, MSG_PEEK) == 2);
  CHECK(qst_recv(world.server, s, buffer, 16, MSG_PEEK) == 4);
  CHECK(std::string(buffer, 4) == "abcd");
  bool more = true;
  world.on_wait = [&, &c = c] {
    if (more) qst_send(world.client, c, "efgh", 4, MSG_DONTWAIT);
    more = false;
  };
  CHECK(qst_recv(world.server, s, buffer, 8, MSG_WAITALL) == 8);
  CHECK(std::string(buffer, 8) == "abcdefgh");
  CHECK_ERRNO(qst_recv(world.server, s, buffer, 1, MSG_OOB), EOPNOTSUPP);
  CHECK_ERRNO(qst_send(world.client, c, buffer, 1, MSG_OOB), EOPNOTSUPP);
}

TEST_CASE("sendto() and recvfrom() serve connected sockets") {
  CapiWorld world;
  auto [c, s] = world.open();
  const sockaddr_in to = ipv4("10.0.0.1", 80);
  CHECK_ERRNO(qst_sendto(world.client, c, "x", 1, 0, generic(to), sizeof(to)), EISCONN);
  CHECK(qst_sendto(world.client, c, "x", 1, 0, nullptr, 0) == 1);
  sockaddr_in from{};
  socklen_t length = sizeof(from);
  char byte;
  CHECK(qst_recvfrom(world.server, s, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &length) == 1);
  CHECK(from.sin_addr.s_addr == inet_addr("10.0.0.2"));
  const int fresh = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
  CHECK_ERRNO(qst_sendto(world.client, fresh, "x", 1, 0, generic(to), sizeof(to)), ENOTCONN);
}

TEST_CASE("time-outs and interrupts end calls that wait") {
  CapiWorld world;
  auto [c, s] = world.open();
  const timeval half{0, 500'000};
  CHECK(qst_setsockopt(world.server, s, SOL_SOCKET, SO_RCVTIMEO, &half, sizeof(half)) == 0);
  char byte;
  uint64_t before = world.now_ns;
  CHECK_ERRNO(qst_read(world.server, s, &byte, 1), EAGAIN);
  CHECK(world.now_ns - before >= 500'000'000);
  CHECK(world.now_ns - before < 510'000'000);
  before = world.now_ns;
  qst_interrupt(world.client);
  CHECK_ERRNO(qst_recv(world.client, c, &byte, 1, MSG_DONTWAIT), EAGAIN);
  CHECK_ERRNO(qst_read(world.client, c, &byte, 1), EINTR);
  CHECK(world.now_ns == before);
  world.wait_fault = ECANCELED;
  CHECK_ERRNO(qst_read(world.client, c, &byte, 1), ECANCELED);
}

TEST_CASE("without a way to wait, a manual clock makes no call wait") {
  CapiWorld world({.waits = false});
  const int listener = world.listen();
  CHECK_ERRNO(qst_accept(world.server, listener, nullptr, nullptr), EAGAIN);
  const int fd = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
  const sockaddr_in to = ipv4("10.0.0.1", 80);
  CHECK_ERRNO(qst_connect(world.client, fd, generic(to), sizeof(to)), EINPROGRESS);
  world.run_ms(1);
  CHECK(qst_accept(world.server, listener, nullptr, nullptr) >= 0);
  pollfd one{fd, POLLIN, 0};
  CHECK(qst_poll(world.client, &one, 1, -1) == 0);
}

TEST_CASE("SO_LINGER: close() waits for the last ACK, so long and no longer") {
  CapiWorld world({.receive_buffer = 4'096, .send_buffer = 65'536});
  for (const bool reads : {true, false}) {
    auto [c, s] = world.open(SOCK_STREAM, reads ? 80 : 81);
    const linger two{1, 2};
    CHECK(qst_setsockopt(world.client, c, SOL_SOCKET, SO_LINGER, &two, sizeof(two)) == 0);
    const std::string sent = bytes_of(50'000);
    CHECK(qst_send(world.client, c, sent.data(), sent.size(), MSG_DONTWAIT) == 50'000);
    std::string received;
    world.on_wait = [&, server = s] {
      if (reads) received += world.read_all(world.server, server);
    };
    const uint64_t before = world.now_ns;
    CHECK(qst_close(world.client, c) == 0);
    const uint64_t waited = world.now_ns - before;
    world.on_wait = nullptr;
    if (reads) {
      CHECK(received == sent);
      CHECK(waited < 2'000'000'000);
    } else {
      CHECK(waited >= 2'000'000'000);
      CHECK(waited < 2'010'000'000);
    }
    CHECK(qst_close(world.server, s) == 0);
  }
}

TEST_CASE("a peer that is gone is ETIMEDOUT") {
  CapiWorld world;
  auto [c, s] = world.open(SOCK_STREAM | SOCK_NONBLOCK);
  qst_destroy(world.server);  // with its wire: the reset of its connections is the last that is heard
  world.server = nullptr;
  char byte;
  const auto alone = [&](uint64_t ms) {
    for (uint64_t i = 0; i < ms; ++i) {
      world.now_ns += 1'000'000;
      qst_set_clock(world.client, world.now_ns);
      qst_turn(world.client);
    }
  };
  alone(10);
  CHECK_ERRNO(qst_read(world.client, c, &byte, 1), ECONNRESET);
  const int second = qst_socket(world.client, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const sockaddr_in to = ipv4("10.0.0.1", 80);
  CHECK_ERRNO(qst_connect(world.client, second, generic(to), sizeof(to)), EINPROGRESS);
  alone(200'000);
  const int error = world.error(world.client, second);
  CHECK((error == ETIMEDOUT || error == EHOSTUNREACH));
}

TEST_CASE("options that are known are read back, and others are ENOPROTOOPT") {
  CapiWorld world;
  const int fd = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
  CHECK(world.option(world.client, fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
  CHECK(world.option(world.client, fd, SOL_SOCKET, SO_DOMAIN) == AF_INET);
  CHECK(world.option(world.client, fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
  CHECK(world.option(world.client, fd, SOL_SOCKET, SO_REUSEADDR) == 0);
  int value = 1;
  socklen_t length = sizeof(value);
  CHECK_ERRNO(qst_getsockopt(world.client, fd, SOL_SOCKET, SO_BROADCAST, &value, &length), ENOPROTOOPT);
  CHECK_ERRNO(qst_setsockopt(world.client, fd, SOL_SOCKET, SO_BROADCAST, &value, length), ENOPROTOOPT);
  CHECK_ERRNO(qst_setsockopt(world.client, fd, IPPROTO_TCP, 9'999, &value, length), ENOPROTOOPT);
  CHECK_ERRNO(qst_setsockopt(world.client, fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, length), ENOPROTOOPT);
  CHECK_ERRNO(qst_setsockopt(world.client, fd, SOL_SOCKET, SO_REUSEADDR, &value, 2), EINVAL);
  CHECK_ERRNO(qst_setsockopt(world.client, fd, SOL_SOCKET, SO_REUSEADDR, nullptr, 4), EFAULT);
  CHECK_ERRNO(qst_getsockopt(world.client, fd, SOL_SOCKET, SO_TYPE, nullptr, &length), EFAULT);
  const timeval odd{0, 1'000'000};
  CHECK_ERRNO(qst_setsockopt(world.client, fd, SOL_SOCKET, SO_RCVTIMEO, &odd, sizeof(odd)), EDOM);
}

TEST_CASE("TCP's options: set before or after the handshake, read back, refused out of range") {
  CapiWorld world;
  const int before = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
  auto [c, s] = world.open();
  struct Case {
    int level, name, standard, good, bad;
  };
  const Case cases[] = {
      {SOL_SOCKET, SO_KEEPALIVE, 0, 1, 0},         {SOL_SOCKET, SO_RCVBUF, 65'536, 30'000, 0},
      {SOL_SOCKET, SO_SNDBUF, 262'144, 30'000, 0}, {SOL_SOCKET, SO_MAX_PACING_RATE, -1, 1'000'000, 0},
      {IPPROTO_TCP, TCP_NODELAY, 0, 1, 0},         {IPPROTO_TCP, TCP_QUICKACK, 0, 1, 0},
      {IPPROTO_TCP, TCP_KEEPIDLE, 7'200, 10, -1},  {IPPROTO_TCP, TCP_KEEPINTVL, 75, 3, -1},
      {IPPROTO_TCP, TCP_KEEPCNT, 9, 4, 128},       {IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 5'000, -5},
      {IPPROTO_TCP, TCP_SYNCNT, 7, 3, 8},          {IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1, 4'096, 0},
      {IPPROTO_IP, IP_TTL, 64, 9, 256},            {IPPROTO_IP, IP_TOS, 0, 0x28, 256},
  };
  for (const Case& one : cases) {
    INFO("level " << one.level << ", option " << one.name);
    for (const int fd : {before, c}) {
      CHECK(world.option(world.client, fd, one.level, one.name) == one.standard);
      CHECK(qst_setsockopt(world.client, fd, one.level, one.name, &one.good, sizeof(one.good)) == 0);
      CHECK(world.option(world.client, fd, one.level, one.name) == one.good);
      if (one.bad != 0) CHECK_ERRNO(qst_setsockopt(world.client, fd, one.level, one.name, &one.bad, sizeof(one.bad)), EINVAL);
    }
  }
  world.listen(81);
  const sockaddr_in to = ipv4("10.0.0.1", 81);
  CHECK(qst_connect(world.client, before, generic(to), sizeof(to)) == 0);
  for (const Case& one : cases) CHECK(world.option(world.client, before, one.level, one.name) == one.good);
}

TEST_CASE("TCP_NODELAY lets a small segment go at once, and without it it waits for the ACK of the one before") {
  CapiWorld world;
  for (const int on : {0, 1}) {
    auto [c, s] = world.open(SOCK_STREAM, static_cast<uint16_t>(80 + on));
    CHECK(qst_setsockopt(world.client, c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    CHECK(qst_write(world.client, c, "a", 1) == 1);
    world.run_ms(2);
    CHECK(qst_write(world.client, c, "b", 1) == 1);
    world.run_ms(2);
    CHECK(world.read_all(world.server, s) == (on ? "ab" : "a"));
  }
}

TEST_CASE("TCP_CONGESTION is a name, TCP_MAXSEG bounds segments, TCP_INFO tells the connection") {
  CapiWorld world;
  const int c = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
  char text[16];
  socklen_t length = sizeof(text);
  CHECK(qst_getsockopt(world.client, c, IPPROTO_TCP, TCP_CONGESTION, text, &length) == 0);
  CHECK(std::string(text) == "cubic");
  CHECK(qst_setsockopt(world.client, c, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5) == 0);
  CHECK_ERRNO(qst_setsockopt(world.client, c, IPPROTO_TCP, TCP_CONGESTION, "vegas", 5), ENOENT);
  length = sizeof(text);
  CHECK(qst_getsockopt(world.client, c, IPPROTO_TCP, TCP_CONGESTION, text, &length) == 0);
  CHECK(std::string(text) == "dctcp");
  CHECK(world.option(world.client, c, IPPROTO_TCP, TCP_MAXSEG) == 536);
  const int most = 600;
  CHECK(qst_setsockopt(world.client, c, IPPROTO_TCP, TCP_MAXSEG, &most, sizeof(most)) == 0);
  tcp_info info{};
  length = sizeof(info);
  CHECK(qst_getsockopt(world.client, c, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
  CHECK(info.tcpi_state == TCP_CLOSE);
  const int listener = world.listen();
  length = sizeof(info);
  CHECK(qst_getsockopt(world.server, listener, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
  CHECK(info.tcpi_state == TCP_LISTEN);
  const sockaddr_in to = ipv4("10.0.0.1", 80);
  CHECK(qst_connect(world.client, c, generic(to), sizeof(to)) == 0);
  CHECK(world.option(world.client, c, IPPROTO_TCP, TCP_MAXSEG) == 588);  // timestamps take 12
  length = sizeof(info);
  CHECK(qst_getsockopt(world.client, c, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
  CHECK(info.tcpi_state == TCP_ESTABLISHED);
  CHECK(info.tcpi_snd_mss == 588);
  CHECK(info.tcpi_rtt > 0);
  CHECK((info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0);
}

TEST_CASE("TCP_INFO has the bytes and segments of both ends") {
  CapiWorld world;
  const auto both = world.open();
  const int c = both.client, s = both.server;
  const std::string bytes = bytes_of(100'000);
  CHECK(qst_write(world.client, c, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  std::string got;
  CHECK(world.run_until([&] { return (got += world.read_all(world.server, s)).size() == bytes.size(); }));
  world.run_ms(100);
  /// glibc's tcp_info ends earlier than Linux' does.
  struct Info {
    tcp_info begin;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
  };
  static_assert(offsetof(Info, pacing_rate) == 104);
  const auto info_of = [](qst_stack* stack, int fd) {
    Info info{};
    socklen_t length = sizeof(info);
    CHECK(qst_getsockopt(stack, fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
    return info;
  };
  const Info ours = info_of(world.client, c), theirs = info_of(world.server, s);
  CHECK(ours.bytes_acked == bytes.size());
  CHECK(ours.bytes_sent == bytes.size());
  CHECK(theirs.bytes_received == bytes.size());
  CHECK(ours.data_segs_out == theirs.data_segs_in);
  CHECK(ours.delivered == ours.data_segs_out);
  CHECK(ours.segs_out == theirs.segs_in + 1);  // the SYN came before there was a connection
  CHECK(ours.segs_in == theirs.segs_out + 1);  // as the SYN-ACK left
  CHECK(theirs.begin.tcpi_last_data_recv >= 100);
}

TEST_CASE("an option of the listener is the connection's, also where it was set after listen()") {
  CapiWorld world;
  const int listener = world.listen();
  const int idle = 33;
  CHECK(qst_setsockopt(world.server, listener, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) == 0);
  world.connect();
  const int s = qst_accept(world.server, listener, nullptr, nullptr);
  CHECK(world.option(world.server, s, IPPROTO_TCP, TCP_KEEPIDLE) == 33);
  const Handle handle = world.server->sockets().find(s)->handle;
  CHECK(world.server->stack().option(handle, TcpOption::keepalive_idle_ms) == 33'000u);
}

TEST_CASE("fcntl() switches blocking, and knows nothing else") {
  CapiWorld world;
  const int fd = qst_socket(world.client, AF_INET, SOCK_STREAM, 0);
  CHECK(qst_fcntl(world.client, fd, F_GETFL) == O_RDWR);
  CHECK(qst_fcntl(world.client, fd, F_SETFL, O_NONBLOCK) == 0);
  CHECK(qst_fcntl(world.client, fd, F_GETFL) == (O_RDWR | O_NONBLOCK));
  CHECK(qst_fcntl(world.client, fd, F_SETFL, 0) == 0);
  CHECK(qst_fcntl(world.client, fd, F_GETFL) == O_RDWR);
  CHECK(qst_fcntl(world.client, fd, F_GETFD) == FD_CLOEXEC);
  CHECK_ERRNO(qst_fcntl(world.client, fd, F_DUPFD, 0), EINVAL);
}

TEST_CASE("when packets to send run out, writes are EAGAIN until there are some again") {
  CapiWorld world({.packets = 64, .send_buffer = 1'000'000});
  auto [c, s] = world.open(SOCK_STREAM | SOCK_NONBLOCK);
  const std::string sent = bytes_of(400'000);
  size_t written = 0;
  std::string received;
  bool refused = false;
  CHECK(world.run_until([&, &c = c, &s = s] {
    while (written < sent.size()) {
      const ssize_t n = qst_write(world.client, c, sent.data() + written, sent.size() - written);
      if (n < 0) {
        CHECK(errno == EAGAIN);
        refused = true;
        break;
      }
      written += static_cast<size_t>(n);
    }
    received += world.read_all(world.server, s);
    return received.size() == sent.size();
  }));
  CHECK(refused);
  CHECK(received == sent);
  CHECK(qst_close(world.client, c) == 0);
  CHECK(qst_close(world.server, s) == 0);
  CHECK(world.nothing_left());
}
