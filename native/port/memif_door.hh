// MemifDoor: the socket that memif clients come to, before the one that DPDK listens on.
//
//   client ──▶ PATH (here) ──▶ PATH~ (DPDK)        messages of the control channel and their descriptors, both ways
//
// DPDK's listener says hello to a client as soon as it has taken it in. When that client is gone already, the hello fails
// and its descriptor is closed while EAL's interrupt thread still waits for it: that thread then ends the process
// ("Error adding fd … epoll_ctl"). So DPDK sees only us, and we stay until it has said hello; who leaves before that
// leaves us. Packets do not pass here: they travel in the memory whose descriptors do.
// In: steps, one whenever fd() is readable and now and then. Out: nothing that a client does ends the process; the bell knows the
// ring of the client that has the link. Nothing here blocks.
#pragma once

#include <sys/un.h>

#include <array>
#include <string>

#include "native/port/memif_bell.hh"

namespace qstack {

class MemifDoor {
 public:
  /// Listens at `path`, where nobody does (prepare_memif_socket). Throws std::runtime_error.
  explicit MemifDoor(std::string path);
  ~MemifDoor();
  MemifDoor(const MemifDoor&) = delete;
  MemifDoor& operator=(const MemifDoor&) = delete;

  /// Lets clients in and carries messages on. By one thread at a time.
  void step();
  /// Readable when a step has something to do that it had not before the last one.
  int fd() const { return news_.get(); }

  MemifBell& bell() { return bell_; }

  /// Where DPDK has to listen.
  static std::string behind(const std::string& path) { return path + "~"; }

 private:
  /// Clients at a time: one has the link, others come and go.
  static constexpr size_t kVisitsMax = 64;

  struct Visit {
    int client = -1;
    int server = -1;       ///< -1: DPDK's queue was full
    bool greeted = false;  ///< DPDK has said hello: from now on we may leave
    bool left = false;     ///< the client is gone
    bool linked = false;   ///< DPDK has agreed: the bell has its ring
    MemifRing ring = {};
  };

  void let_in();
  bool reach_server(Visit& visit);
  void carry(Visit& visit);
  void from_server(Visit& visit, std::span<const uint8_t> message);
  void end(Visit& visit);
  void watch(int socket);

  std::string path_;
  sockaddr_un behind_;
  Descriptor news_;  ///< an epoll instance with all sockets
  int listener_ = -1;
  std::array<Visit, kVisitsMax> visits_;
  MemifBell bell_;
};

}  // namespace qstack
