// A small server on kernel sockets for tests of the generator: non-blocking, driven by turns like everything else here.
// In: turns, and what to do with the bytes of a connection. Out: a port on 127.0.0.1 that the kernel chose.
#pragma once

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace qstack::test {

class SocketServer {
 public:
  /// What is sent for the bytes that came; `end` is set where the connection ends behind it.
  using Answer = std::function<std::string(const std::string& bytes, bool& end)>;

  explicit SocketServer(Answer answer) : answer_(std::move(answer)), listener_(socket(AF_INET, kKind, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0);
    REQUIRE(listen(listener_, 1024) == 0);
    socklen_t size = sizeof(at);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
  }
  ~SocketServer() {
    for (int fd : open_) ::close(fd);
    ::close(listener_);
  }
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  uint16_t port() const { return port_; }
  size_t open() const { return open_.size(); }
  /// Addresses that connections came from, host order.
  const std::set<uint32_t>& sources() const { return sources_; }
  void stop_listening() { shutdown(listener_, SHUT_RDWR); }

  void turn() {
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    for (int fd; (fd = accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK)) >= 0;) {
      open_.push_back(fd);
      sources_.insert(ntohl(peer.sin_addr.s_addr));
      ++accepted;
    }
    std::erase_if(open_, [&](int fd) { return serve(fd); });
  }

  uint64_t accepted = 0;
  bool reading = true;

 private:
  static constexpr int kKind = SOCK_STREAM | SOCK_NONBLOCK;

  /// True: the connection is over.
  bool serve(int fd) {
    if (!reading) return false;
    char bytes[4096];
    const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    if (n < 0 && errno == EAGAIN) return false;
    bool end = n <= 0;
    if (n > 0) {
      const std::string reply = answer_(std::string(bytes, static_cast<size_t>(n)), end);
      REQUIRE(::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(reply.size()));
    }
    if (end) ::close(fd);
    return end;
  }

  Answer answer_;
  int listener_;
  uint16_t port_ = 0;
  std::vector<int> open_;
  std::set<uint32_t> sources_;
};

}  // namespace qstack::test
