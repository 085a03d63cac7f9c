// KernelNetwork: the generator's view of the kernel's TCP: non-blocking sockets and one epoll, in one thread.
//
// In: the server's address and our own ones. Out: the same events, in the same order, that a Stack gives its App (native/tcp/app.hh);
// the generator cannot tell the two apart. Invariant: what is sent goes to the kernel at once; only what its socket has no
// room for stays here, in order, and counts as on its way.
// Ports are the kernel's choice (net.ipv4.ip_local_port_range): it knows which are taken or rest in TIME-WAIT.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "native/mcc/network.hh"
#include "native/mempool/heap_pool.hh"

namespace qstack::mcc {

struct KernelConfig {
  Endpoint remote;  ///< IPv4
  /// Local addresses, named by their place in this list; 0: the kernel chooses.
  std::vector<uint32_t> sources{0};
  uint32_t slots = 1;        ///< sockets at a time
  uint32_t packets = 8'192;  ///< messages that wait for room in their sockets, and as many received ones
};

/// Raises the soft limit of open files to the hard one; returns it.
uint64_t raise_file_limit();

class KernelNetwork final : public Network {
 public:
  explicit KernelNetwork(const KernelConfig& config);
  ~KernelNetwork() override;
  KernelNetwork(const KernelNetwork&) = delete;
  KernelNetwork& operator=(const KernelNetwork&) = delete;

  /// Tells `app` what happened since the last turn. Returns how many events there were.
  uint32_t turn(App& app, Nanos now);

  /// `local.address` is the place of an address in the list of sources; `local.port` is not used.
  Handle connect(Endpoint local, uint64_t token, Nanos now) override;
  Packet* allocate() override { return tx_.allocate(); }
  bool send(Handle handle, Packet* packet, Nanos now) override;
  void prefetch(uint32_t slot) const override { __builtin_prefetch(&sockets_[slot]); }
  void release(Handle handle, Packet* packet, uint16_t length, Nanos now) override;
  void close(Handle handle, Nanos now) override;
  void abort(Handle handle, Nanos now) override;
  /// Sockets that had no room for all of their bytes. What the kernel itself has sent and not yet seen acknowledged is its own.
  uint32_t in_transit() const override { return blocked_; }
  /// Each socket is read in its turn.
  bool looks_between_events() const override { return true; }

  /// `sockets` that were made, `bytes_in`, `bytes_out`; `connect_ECONNREFUSED` and so on: opens that failed, by the kernel's error.
  std::map<std::string, uint64_t> counters() const;

 private:
  enum class State : uint8_t { free, connecting, open };
  struct Socket {
    int fd = -1;
    uint32_t generation = 0;
    uint64_t token = 0;
    uint32_t source = 0;
    Packet* first = nullptr;  ///< what the kernel has no room for, oldest first
    Packet* last = nullptr;
    State state = State::free;
    bool closes = false;      ///< close() was called: FIN follows the last byte
    bool shut = false;        ///< our FIN is under way
    bool peer_ended = false;
  };
  struct Gone {
    Handle handle;
    CloseReason reason;
  };

  Socket* find(Handle handle);
  Handle handle_of(uint32_t slot) const { return {slot, sockets_[slot].generation}; }
  int start(uint32_t source) const;
  void watch(uint32_t slot, int operation);
  void handle_event(App& app, uint32_t slot, uint32_t events);
  void finish_connect(App& app, uint32_t slot);
  void receive(App& app, uint32_t slot);
  void peer_ended(App& app, uint32_t slot);
  void flush(uint32_t slot);
  size_t write_some(Socket& socket, const Packet* packet);
  void shut_down(uint32_t slot);
  void drop_queue(Socket& socket);
  void shut_file(Socket& socket);
  void end(uint32_t slot, CloseReason reason);
  uint32_t tell_gone(App& app);
  void failed(int error);

  KernelConfig config_;
  HeapRegion region_;
  HeapPool rx_, tx_;
  std::vector<Socket> sockets_;
  std::vector<uint32_t> free_;
  std::vector<Gone> gone_, telling_;
  std::map<std::string, uint64_t> failures_;
  uint64_t sockets_made_ = 0, bytes_in_ = 0, bytes_out_ = 0;
  int epoll_ = -1;
  uint32_t blocked_ = 0;
};

}  // namespace qstack::mcc
