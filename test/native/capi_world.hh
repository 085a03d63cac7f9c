// Two stacks of the C API in one thread, joined in memory, with a clock that the test moves.
//
// A call that waits moves the world on by itself: time passes in steps of 100 µs, and the other stack takes its turns.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>

#include "native/capi/instance.hh"
#include "native/capi/qstack.h"

namespace qstack::test {

/// A call that fails with this errno.
#define CHECK_ERRNO(call, error)  \
  do {                            \
    errno = 0;                    \
    CHECK((call) == -1);          \
    CHECK(errno == (error));      \
  } while (false)

inline sockaddr_in ipv4(const char* address, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  inet_pton(AF_INET, address, &out.sin_addr);
  return out;
}

inline sockaddr_in6 ipv6(const char* address, uint16_t port) {
  sockaddr_in6 out{};
  out.sin6_family = AF_INET6;
  out.sin6_port = htons(port);
  inet_pton(AF_INET6, address, &out.sin6_addr);
  return out;
}

template <typename Address>
const sockaddr* generic(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

inline std::string bytes_of(size_t length, uint32_t seed = 1) {
  std::string bytes(length, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

struct CapiOptions {
  uint32_t sockets = 16;
  uint32_t packets = 512;
  uint32_t receive_buffer = 0;
  uint32_t send_buffer = 0;
  bool waits = true;
};

/// Server 10.0.0.1 and fd00::1, client 10.0.0.2 and fd00::2.
class CapiWorld {
 public:
  static constexpr uint16_t kPort = 80;

  explicit CapiWorld(const CapiOptions& options = {}) {
    qst_config configs[2];
    const char* const addresses[2][2] = {{"10.0.0.1/24", "fd00::1/64"}, {"10.0.0.2/24", "fd00::2/64"}};
    for (size_t i = 0; i < 2; ++i) {
      qst_config& config = configs[i];
      qst_config_init(&config);
      config.ipv4 = addresses[i][0];
      config.ipv6 = addresses[i][1];
      config.sockets = options.sockets;
      config.epolls = 4;
      config.rx_packets = config.tx_packets = options.packets;
      config.receive_buffer = options.receive_buffer;
      config.send_buffer = options.send_buffer;
      config.half_open = config.time_wait = 16;
      config.clock = QST_CLOCK_MANUAL;
      config.seed = i + 1;
      ends_[i] = {this, 1 - i};
      config.wait = options.waits ? waited : nullptr;
      config.wait_argument = &ends_[i];
    }
    qst_stack* stacks[2] = {nullptr, nullptr};
    REQUIRE_MESSAGE(qst_create_pair(&configs[0], &configs[1], stacks) == 0, qst_error());
    server = stacks[0];
    client = stacks[1];
    run_ms(3'000);  // IPv6 addresses are checked for duplicates first
  }
  ~CapiWorld() {
    qst_destroy(client);
    qst_destroy(server);
  }

  void run_us(uint64_t us, uint64_t grain_us = 100) {
    for (uint64_t done = 0; done < us; done += grain_us) {
      now_ns += grain_us * 1'000;
      for (qst_stack* const stack : {client, server}) {
        qst_set_clock(stack, now_ns);
        qst_turn(stack);
      }
    }
  }
  void run_ms(uint64_t ms) { run_us(ms * 1'000, ms > 500 ? 1'000 : 100); }
  bool run_until(const std::function<bool()>& done, uint64_t ms_max = 30'000) {
    for (uint64_t i = 0; i < ms_max * 5; ++i) {
      if (done()) return true;  // asked once: an edge is told once
      run_us(200, 200);
    }
    return false;
  }

  int listen(uint16_t port = kPort, int backlog = 8, int type = SOCK_STREAM) {
    const int fd = qst_socket(server, AF_INET, type, 0);
    const sockaddr_in address = ipv4("0.0.0.0", port);
    REQUIRE(qst_bind(server, fd, generic(address), sizeof(address)) == 0);
    REQUIRE(qst_listen(server, fd, backlog) == 0);
    return fd;
  }
  /// A socket of the client's that is connected, or has begun to be.
  int connect(uint16_t port = kPort, int type = SOCK_STREAM) {
    const int fd = qst_socket(client, AF_INET, type, 0);
    const sockaddr_in address = ipv4("10.0.0.1", port);
    const int result = qst_connect(client, fd, generic(address), sizeof(address));
    REQUIRE((result == 0 || errno == EINPROGRESS));
    return fd;
  }
  struct Connection {
    int client, server;
  };
  Connection open(int type = SOCK_STREAM, uint16_t port = kPort) {
    const int listener = listen(port);
    const int c = connect(port);
    const int s = qst_accept4(server, listener, nullptr, nullptr, type & SOCK_NONBLOCK);
    REQUIRE(s >= 0);
    if (type & SOCK_NONBLOCK) REQUIRE(qst_fcntl(client, c, F_SETFL, O_NONBLOCK) == 0);
    REQUIRE(qst_close(server, listener) == 0);
    return {c, s};
  }

  /// All that is there to read without waiting.
  std::string read_all(qst_stack* stack, int fd) {
    std::string out;
    char buffer[4096];
    ssize_t n;
    while ((n = qst_recv(stack, fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) out.append(buffer, static_cast<size_t>(n));
    return out;
  }
  int option(qst_stack* stack, int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof(value);
    REQUIRE(qst_getsockopt(stack, fd, level, name, &value, &length) == 0);
    return value;
  }
  int error(qst_stack* stack, int fd) { return option(stack, fd, SOL_SOCKET, SO_ERROR); }
  uint64_t count(qst_stack* stack, const char* name) {
    uint64_t value = 0;
    REQUIRE(qst_counter(stack, name, &value) == 0);
    return value;
  }
  /// Every packet and record is back in its pool; what closed sockets left behind has had its time.
  bool nothing_left() {
    run_ms(130'000);
    for (qst_stack* const stack : {client, server}) {
      capi::Device& device = stack->device();
      if (device.rx().available() != device.rx().capacity() || device.tx().available() != device.tx().capacity()) return false;
      if (stack->stack().engine().connections_used() != 0 || stack->sockets().sockets_used() != 0) return false;
      if (stack->sockets().interests_used() != 0) return false;
    }
    return true;
  }

  qst_stack* server = nullptr;
  qst_stack* client = nullptr;
  uint64_t now_ns = 0;
  int wait_fault = 0;       ///< what a waiting call fails with next
  uint64_t wait_us = 0;     ///< that calls have waited for
  std::function<void()> on_wait;

 private:
  struct End {
    CapiWorld* world;
    size_t other;
  };
  static int waited(void* argument, uint64_t) {
    const End& end = *static_cast<End*>(argument);
    CapiWorld& world = *end.world;
    if (world.wait_fault != 0) return world.wait_fault;
    world.now_ns += 100'000;
    world.wait_us += 100;
    qst_set_clock(world.client, world.now_ns);
    qst_set_clock(world.server, world.now_ns);
    qst_turn(end.other == 0 ? world.server : world.client);
    if (world.on_wait) world.on_wait();
    return world.wait_us > 300'000'000 ? EDEADLK : 0;
  }
  End ends_[2] = {};
};

}  // namespace qstack::test
