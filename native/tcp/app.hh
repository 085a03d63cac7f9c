// App: what the stack tells the program above it, and in which order.
//
// All calls come from the stack thread, inside Stack::turn. For one connection: opened once, then messages in
// stream order (those of a higher level may come before others, tcp/early.cc), at most one ended, and closed exactly
// once, as the last. A handle is dead after closed.
// Two implementations: AppRings (records in shared memory, for app threads) and native programs (mcc, tests).
#pragma once

#include <cstdint>

#include "native/mempool/packet.hh"
#include "native/wire/ip_address.hh"

namespace qstack {

/// Names a connection: the slot of its control block, and how often that slot was used before.
struct Handle {
  uint32_t slot = kNoIndex;
  uint32_t generation = 0;
  friend bool operator==(const Handle&, const Handle&) = default;
};

/// Host byte order.
struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

enum class CloseReason : uint8_t {
  finished = 0,       ///< both sides sent FIN and every byte was acknowledged
  reset = 1,          ///< the peer sent RST (ECONNRESET)
  aborted = 2,        ///< we sent RST on the app's demand
  timed_out = 3,      ///< retransmissions ran out (ETIMEDOUT)
  idle = 4,           ///< idle timeout
  refused = 5,        ///< active open answered by RST, or by ICMP's port unreachable (ECONNREFUSED)
  unreachable = 6,    ///< no route, no answer to ARP or NDP, or ICMP says so and nothing else came (EHOSTUNREACH)
  stack_stopped = 7,  ///< the stack goes down
  app_lost = 8,       ///< the app thread that owned it died
  bad_message = 9,    ///< the peer announced a message of a length that there is not (EBADMSG)
  elsewhere = 10,     ///< active open that only another stack can begin: answers would come to that one
};

struct Opened {
  Handle handle;
  Endpoint local, remote;
  uint16_t listener = 0;  ///< number of the listener; 0xffff for an active open
  uint64_t token = 0;     ///< what connect() was given; 0 for a passive open
};

/// One message, or on a stream listener one chunk: `length` bytes at packet->data + offset.
/// packet->sequence is the sequence number of the byte at packet->data + packet->payload.
/// Where the app takes it (returns true) it holds one reference of the packet until Stack::release.
struct Message {
  Handle handle;
  Endpoint remote;
  Packet* packet = nullptr;
  uint16_t offset = 0;
  uint16_t length = 0;
  uint16_t listener = 0;
  uint8_t level = 0;
};

class App {
 public:
  virtual ~App() = default;
  /// False: no room now; the stack keeps the event and offers it again in a later turn, in order.
  virtual bool opened(const Opened& event) = 0;
  virtual bool message(const Message& event) = 0;
  /// False: messages of this level hold as much memory as they may. Their segments are dropped before TCP accepts them, so
  /// that the peer sends them again; where the app can be told to wait (streams), no more window is offered.
  virtual bool has_budget(uint8_t) const { return true; }
  /// A segment of this connection is handled soon.
  virtual void prefetch(uint32_t) const {}
  /// How long the oldest event has waited for whoever takes those of this connection and level.
  virtual Stamp waited(uint32_t, uint8_t) const { return 0; }
  /// The peer sent FIN; all its bytes have been delivered before. We may still send.
  virtual bool ended(Handle handle) = 0;
  virtual bool closed(Handle handle, CloseReason reason) = 0;
  /// The peer has sent a new urgent pointer (RFC 9293 3.8.5); Stack::urgent says how much of what is not read is urgent. The
  /// bytes come as messages, in line.
  virtual bool urgent(Handle) { return true; }
  /// All bytes sent so far are acknowledged down to the low-water mark (asked for by request_drain).
  virtual bool drained(Handle handle, uint32_t cookie) = 0;
};

}  // namespace qstack
