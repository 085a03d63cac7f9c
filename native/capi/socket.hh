// Socket, Epoll and Interest: the records of the socket layer. All live in pools that are made at the start.
//
//   Epoll ◀── Interest ──▶ Socket ──▶ Handle of a connection        Socket (listening) ──▶ Socket … that wait for accept
#pragma once

#include <sys/socket.h>

#include "native/mempool/packet_queue.hh"
#include "native/mempool/slot_list.hh"
#include "native/tcp/app.hh"
#include "native/tcp/options.hh"

namespace qstack::capi {

enum class SocketState : uint8_t {
  fresh,       ///< neither connected nor listening
  listening,
  connecting,
  connected,   ///< until the stack says that the connection is over
  over,
};

struct Socket {
  SocketState state;
  bool named;            ///< it has a descriptor; else it waits for accept, or is free
  bool nonblocking;
  bool reuse_address;
  bool v6_only;
  bool was_connected;    ///< over: after a connection, not after an attempt
  bool ended;            ///< the peer sent FIN
  bool read_shut;
  bool write_shut;
  bool bound;            ///< by bind(): keeps its address after a failed connect()
  bool space_wanted;     ///< App::drained will come
  bool starved;          ///< in the list of those that wait for packets
  bool lingers;
  uint16_t listener;     ///< number of the stack's listener
  uint16_t family;       ///< AF_INET, AF_INET6
  int error;             ///< SO_ERROR; 0: none
  uint32_t link;         ///< SlotPool's; then the next one that waits for accept, or for packets
  Handle handle;         ///< connecting, connected
  Endpoint local, remote;
  PacketQueue received;  ///< payload, payload_length: what was not read; length: what to release
  uint32_t interests;    ///< first Interest, or kNoIndex
  // listening
  uint32_t backlog;
  uint32_t waiting;      ///< connections that wait for accept
  uint32_t first_waiting, last_waiting;
  // options
  uint32_t linger_seconds;
  bool options_changed;   ///< listening: connections have those of listen() until they are accepted
  SocketOptions options;  ///< complete, but for those that are off
  Nanos receive_timeout;  ///< 0: none
  Nanos send_timeout;
};

struct Interest {
  uint32_t link;      ///< SlotPool's; in the ready list of its epoll
  uint32_t previous;
  uint32_t socket;
  uint32_t epoll;
  uint32_t next;      ///< of the same socket
  uint32_t events;    ///< EPOLLIN …; 0: switched off by EPOLLONESHOT
  uint64_t data;      ///< the program's
  bool edge;
  bool once;
  bool ready;         ///< in the list
};

struct Epoll {
  uint32_t link;  ///< SlotPool's
  bool named;
  uint32_t ready_count;
  SlotList<Interest> ready;
};

}  // namespace qstack::capi
