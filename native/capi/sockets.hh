// Sockets: POSIX sockets over one Stack, as an App.
//
// In: calls with descriptors; events of the stack. Out: the result of a call, or a negative errno; -EAGAIN where the call
// would wait (instance.hh waits). Invariant: a connection of the stack belongs to at most one socket, which is named by
// its slot (`owners_`); a connection whose socket was closed belongs to nobody, and the stack ends it alone.
// One concern per file: sockets (records, names), events (App), open, data, close, options, poll. Nothing here allocates
// but the constructor and listen(). Read first: native/tcp/app.hh; POSIX.1-2017 2.10 (sockets), Linux epoll(7).
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include <vector>

#include "native/capi/options_table.hh"
#include "native/capi/socket.hh"
#include "native/stack/stack.hh"

namespace qstack::capi {

struct SocketsConfig {
  uint32_t sockets = 0;
  uint32_t epolls = 0;
  uint32_t interests = 0;
  uint32_t connections = 0;  ///< control blocks of the stack
  SocketOptions options{};   ///< what a new socket has
  uint16_t first_port = 32'768;  ///< where the search for a free one begins
};

/// The pieces of memory of one call, and how far it has come.
struct Pieces {
  const iovec* parts;
  size_t count;
  size_t part = 0;
  size_t at = 0;

  size_t left() const;
  /// What lies at the cursor, in one piece; 0 at the end.
  size_t contiguous();
  uint8_t* here() const { return static_cast<uint8_t*>(parts[part].iov_base) + at; }
  void advance(size_t n) { at += n; }
};

class Sockets final : public App {
 public:
  Sockets(const SocketsConfig& config, PacketPool& tx);
  /// The stack is made after its App.
  void attach(Stack& stack) { stack_ = &stack; }

  // App
  bool opened(const Opened& event) override;
  bool message(const Message& event) override;
  bool ended(Handle handle) override;
  bool closed(Handle handle, CloseReason reason) override;
  bool drained(Handle handle, uint32_t cookie) override;
  bool urgent(Handle handle) override;

  /// Time of everything until the next call.
  void at(Nanos now) { now_ = now; }
  /// What the stack must not be told inside a turn, and who waits for packets.
  void after_turn();
  /// Everything is reset and given back.
  void reset_all();

  // open.cc
  long open(int domain, int type, int protocol);
  long bind(int fd, const sockaddr* address, socklen_t length);
  long listen(int fd, int backlog);
  long accept(int fd, sockaddr* address, socklen_t* length, int flags);
  /// -EINPROGRESS when it has begun; connect_result() tells.
  long connect(int fd, const sockaddr* address, socklen_t length);
  /// -EAGAIN while it is under way.
  long connect_result(int fd);
  long getsockname(int fd, sockaddr* address, socklen_t* length);
  long getpeername(int fd, sockaddr* address, socklen_t* length);

  // data.cc
  long read(int fd, Pieces& pieces, bool peek);
  long write(int fd, Pieces& pieces);

  // close.cc
  long close(int fd);
  /// -EAGAIN while a lingering socket has unacknowledged bytes and may wait for them.
  long lingering(int fd);
  long shutdown(int fd, int how);

  // options.cc
  long get_option(int fd, int level, int name, void* value, socklen_t* length);
  long set_option(int fd, int level, int name, const void* value, socklen_t length);
  long control(int fd, int command, long argument);

  // poll.cc
  /// Descriptors with something to tell.
  long poll(pollfd* sockets, nfds_t count);
  long epoll_create(int size);
  long epoll_ctl(int epoll, int operation, int fd, epoll_event* event);
  long epoll_wait(int epoll, epoll_event* events, int events_max);

  /// Null: no socket has this number.
  Socket* find(int fd);
  uint32_t sockets_used() const { return sockets_.used(); }
  uint32_t interests_used() const { return interests_.used(); }

 private:
  // sockets.cc
  uint32_t allocate(int family);
  void release(uint32_t index);
  uint32_t index_of(const Socket& socket) const { return sockets_.slot_of(socket); }
  Socket* owner_of(Handle handle);
  void own(Handle handle, uint32_t index) { owners()[handle.slot] = index; }
  uint32_t* owners() { return reinterpret_cast<uint32_t*>(owners_memory_.data()); }
  int name(Socket& socket);
  void forget_received(Socket& socket, Handle handle);
  static int take_error(Socket& socket);
  void begin_connection(Socket& socket, const Opened& event);
  bool take_passive(Socket& listener, const Opened& event);
  uint32_t unaccepted() const { return sockets_.used() - named_; }

  // open.cc
  bool port_taken(const Socket& socket, const Endpoint& wanted) const;
  uint16_t free_port(const Socket& socket, const IpAddress& address);
  bool reconnects(const Socket& socket) const;
  Families families_of(const Socket& socket) const;
  ListenerConfig framing_of(const Socket& socket) const;
  int connect_fault(const Socket& socket, const Endpoint& remote) const;

  // data.cc
  bool merge(Socket& socket, const Message& event);
  long readable(Socket& socket) const;
  long writable(Socket& socket) const;
  size_t copy_out(Socket& socket, Pieces& pieces);
  static size_t peek(const Socket& socket, Pieces& pieces);
  size_t copy_in(Socket& socket, Pieces& pieces, size_t most);
  size_t send_packet(Socket& socket, Pieces& pieces, size_t most);
  static uint32_t write_threshold(const Socket& socket);
  bool packets_left(uint32_t part) const { return tx_.available() > tx_.capacity() / part && stack_->send_ready(0); }
  void want_space(Socket& socket);
  void starve(Socket& socket);
  void unstarve(Socket& socket);

  // close.cc
  void end_listening(Socket& socket);
  void end_connection(Socket& socket);
  void doom(Handle handle);

  // options.cc
  static long give_option(const void* bytes, socklen_t size, void* value, socklen_t* length);
  static long give_int(int number, void* value, socklen_t* length);
  long get_tcp_info(const Socket& socket, void* value, socklen_t* length) const;
  long get_number(const Socket& socket, const OptionName& name, void* value, socklen_t* length) const;
  long set_number(Socket& socket, const OptionName& name, const void* value, socklen_t length);
  long set_congestion(Socket& socket, const void* value, socklen_t length);
  long change(Socket& socket, TcpOption option, uint32_t value);
  void apply_options(const Socket& socket);
  long get_socket_option(Socket& socket, int name, void* value, socklen_t* length);
  long set_socket_option(Socket& socket, int name, const void* value, socklen_t length);

  // poll.cc
  bool urgent_left(const Socket& socket) const;
  uint32_t ready_events(Socket& socket, uint32_t wanted);
  void notify(Socket& socket, uint32_t events);
  void make_ready(uint32_t interest);
  void unready(uint32_t interest);
  Epoll* find_epoll(int fd);
  uint32_t* place_of(Socket& socket, uint32_t epoll);
  void drop_interest(uint32_t* place);
  void drop_interests_of_epoll(uint32_t epoll);
  uint32_t report(uint32_t interest, epoll_event* out);

  SocketsConfig config_;
  PacketPool& tx_;
  Stack* stack_ = nullptr;
  Nanos now_ = 0;
  SlotPool<Socket> sockets_;
  SlotPool<Interest> interests_;
  SlotPool<Epoll> epolls_;
  Mapping owners_memory_;           ///< slot of a connection → socket, or kNoIndex
  std::vector<uint32_t> listeners_;  ///< number of a listener → socket, or kNoIndex
  std::vector<Handle> doomed_;      ///< connections that nobody will accept
  uint32_t named_ = 0;
  uint32_t first_starved_ = kNoIndex;  ///< sockets that wait for packets to send
  uint16_t next_port_ = 0;
};

}  // namespace qstack::capi
