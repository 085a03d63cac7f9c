// Sockets: the app of a script: calls with the names of sockets over Stack's interface, without blocking.
//
// In: calls of a script, events of the stack. Out: results as sockets give them: a number, or -1 and the name of an errno.
// Received bytes stay in the window until they are read; each is compared with the pattern that the peer sends.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "native/mempool/heap_pool.hh"
#include "native/stack/stack.hh"
#include "test/script/script.hh"
#include "test/script/wire.hh"

namespace qstack::script {

class Sockets final : public App {
 public:
  struct Result {
    int64_t value = 0;
    std::string error{};
  };

  Sockets(HeapPool& rx, HeapPool& tx, Wire& wire, const ListenerConfig& fresh, bool ipv6)
      : rx_(rx), tx_(tx), wire_(wire), fresh_(fresh), ipv6_(ipv6) {}
  void attach(Stack& stack) { stack_ = &stack; }

  /// Throws a Fault without place for a call that does not exist.
  Result call(const Call& call, Nanos now);
  /// The connection that was opened last; its handle may be dead.
  std::optional<Handle> newest() const;
  uint64_t unread() const;
  /// How often the app was told of an urgent pointer.
  uint32_t urgent_signals() const { return urgent_signals_; }
  /// Gives all memory back: what is held, and what the stack holds for living connections.
  void finish(Nanos now);

  bool opened(const Opened& event) override;
  bool message(const Message& event) override;
  bool ended(Handle handle) override;
  bool closed(Handle handle, CloseReason reason) override;
  bool drained(Handle, uint32_t) override { return true; }
  bool urgent(Handle handle) override;

 private:
  struct Chunk {
    Packet* packet;
    uint16_t offset, length;
  };
  struct Connection {
    Handle handle;
    uint16_t listener = 0xffff;
    bool accepted = false, established = false, ended = false, error_seen = false;
    std::optional<CloseReason> reason{};
    std::deque<Chunk> received{};
    Seq next_read = 0;     ///< place of the next byte in the peer's stream, live
    Seq next_written = 1;  ///< place of the next byte in ours, from the SYN on
  };
  struct Socket {
    ListenerConfig config;
    std::optional<uint16_t> listener{};
    std::shared_ptr<Connection> connection{};
  };
  using Arguments = std::vector<std::string>;

  Result socket();
  Result bind(Socket& socket, const Arguments& arguments);
  Result listen(Socket& socket);
  Result accept(Socket& socket);
  Result connect(Socket& socket, const Arguments& arguments, Nanos now);
  Result write(Connection& c, size_t length, bool message_end, Nanos now);
  Result read(Connection& c, size_t length, Nanos now);
  Result shutdown(Connection& c, Nanos now);
  Result close(int fd, Nanos now);
  Result set_option(Socket& socket, const Arguments& arguments, Nanos now);
  Result get_option(Socket& socket, const Arguments& arguments);
  Result on_connection(Socket& socket, const Call& call, Nanos now);
  Connection& of(Handle handle) { return *connections_.at({handle.slot, handle.generation}); }
  std::shared_ptr<Connection> add(Handle handle, uint16_t listener);
  void release(Connection& c, Nanos now);

  HeapPool& rx_;
  HeapPool& tx_;
  Wire& wire_;
  ListenerConfig fresh_;
  bool ipv6_;
  Stack* stack_ = nullptr;
  int next_fd_ = 3;
  uint32_t urgent_signals_ = 0;
  std::map<int, Socket> sockets_;
  std::map<std::pair<uint32_t, uint32_t>, std::shared_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<Connection>> in_order_;  ///< of their opening
};

}  // namespace qstack::script
