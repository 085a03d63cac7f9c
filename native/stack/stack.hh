// Stack: one TCP/IP stack on one port, driven turn by turn from one thread.
//
// In: frames from the port, calls from the app's side. Out: frames to the port, App events.
// A turn is: RX burst → classify → prefetch → TCP → events; then what the app sends → TCP; timers; ACKs; TX burst.
// Nothing here reads a clock or a random source: `now` and the secret are passed in.
#pragma once

#include <memory>
#include <span>

#include "native/abi/counters.hh"
#include "native/classify/classifier.hh"
#include "native/ip/ip_layer.hh"
#include "native/stack/config.hh"
#include "native/tcp/app.hh"
#include "native/tcp/engine.hh"

namespace qstack {

class Stack {
 public:
  /// `port`, pools and `app` outlive the stack. Throws std::bad_alloc (with the size in what()) when memory is short.
  Stack(const StackConfig& config, Port& port, PacketPool& rx, PacketPool& tx, App& app);

  /// One round of work at time `now`. Returns the number of packets and commands handled: 0 means idle.
  uint32_t turn(Nanos now);

  /// Number of the listener, or -EADDRINUSE, -EADDRNOTAVAIL.
  int listen(const ListenerConfig& config);
  /// Stops accepting; open connections go on.
  void unlisten(uint16_t listener);

  /// Starts an active open from `local` (port 0: the stack picks one) to `remote`. App::opened or App::closed follows
  /// (closed with the returned handle). slot == kNoIndex when no slot, port or route is left (counted).
  Handle connect(Endpoint local, Endpoint remote, const ListenerConfig& framing, uint64_t token, Nanos now);

  /// Takes over `packet` (payload at packet->data + packet->payload, payload_length, level are set). False: the
  /// connection is gone or cannot send any more; the packet is released and counted as stale.
  bool send(Handle handle, Packet* packet, Nanos now);
  /// Bytes that are sent and not yet acknowledged, or waiting to be sent. 0 for a dead handle.
  uint32_t unsent(Handle handle) const;
  /// FIN after what is queued; the peer may go on sending (half close).
  void shutdown(Handle handle, Nanos now);
  /// FIN after what is queued; what arrives from now on is answered by RST if it holds data.
  void close(Handle handle, Nanos now);
  /// RST at once.
  void abort(Handle handle, CloseReason reason, Nanos now);
  /// App::drained(cookie) once not more than `low_water` bytes are unacknowledged.
  void request_drain(Handle handle, uint32_t low_water, uint32_t cookie, Nanos now);
  /// The app gives back one reference of a message's packet; its bytes leave the receive window.
  void release(Handle handle, Packet* packet, uint16_t length, Nanos now);

  bool alive(Handle handle) const;

  /// The classifier that judges frames from the next burst on. The caller keeps it alive until the next turn is over.
  void set_classifier(const Classifier* classifier);

  /// The earliest time at which a turn has something to do without any packet or call.
  Nanos next_deadline(Nanos now) const;

  Counters& counters();
};

}  // namespace qstack
