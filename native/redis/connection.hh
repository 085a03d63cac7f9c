// Connection: one non-blocking stream socket to a Redis server, on a unix path or a numeric TCP address.
//
// In: the address once, then open(), read(), write(). Out: bytes, or the news that the connection is gone. Nothing
// blocks and nothing waits here; when to try again is the shard's decision. SIGPIPE is never raised.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>

namespace qstack::redis {

struct Address {
  std::string path;  ///< unix socket; empty: TCP
  std::string host;  ///< numeric, IPv4 or IPv6
  uint16_t port = 0;

  bool operator==(const Address&) const = default;
  /// As people write it: the path, or host:port.
  std::string text() const;
};

class Connection {
 public:
  enum class State : uint8_t { closed, connecting, open };
  enum class Result : uint8_t { moved, blocked, gone };

  /// `epoll_fd` hears of the socket (user data: `tag`); -1: nobody does.
  Connection(Address address, int epoll_fd, uint32_t tag);
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  State state() const { return state_; }
  /// Begins to connect; afterwards connecting, open or, where that failed at once, closed.
  State open();
  /// Asks the kernel how a connect has ended.
  State progress();
  void close();

  /// `moved`: n bytes came or went.
  Result read(std::span<uint8_t> into, size_t& n);
  Result write(const iovec* pieces, size_t count, size_t& n);

  /// Takes over a connected socket (socketpair) in place of an own one.
  void adopt(int fd);
  int last_error() const { return last_error_; }
  int fd() const { return fd_; }

 private:
  State fail();
  bool start_socket(int family);
  int connect_socket();
  void watch(bool writable);

  Address address_;
  int epoll_fd_;
  uint32_t tag_;
  int fd_ = -1;
  int last_error_ = 0;
  bool watches_write_ = false;
  State state_ = State::closed;
};

/// False: the host is no numeric address, or the path is too long.
bool is_possible(const Address& address);

}  // namespace qstack::redis
