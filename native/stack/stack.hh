// Stack: one TCP/IP stack on one port, driven turn by turn from one thread.
//
// In: frames from the port, calls from the app's side. Out: frames to the port, App events.
// A turn is: RX bursts → classify → RX lanes → prefetch → TCP → events; then what the app sends → TCP; timers; ACKs; TX.
// Nothing here reads a clock or a random source: `now` and the secret are passed in.
#pragma once

#include <memory>
#include <utility>

#include "native/abi/counters.hh"
#include "native/classify/rule_book.hh"
#include "native/ip/ip_layer.hh"
#include "native/stack/config.hh"
#include "native/stack/rx_queue.hh"
#include "native/tcp/app.hh"
#include "native/tcp/engine.hh"

namespace qstack {

class Stack {
 public:
  /// `port`, pools and `app` outlive the stack. Throws std::bad_alloc when memory is short.
  Stack(const StackConfig& config, Port& port, PacketPool& rx, PacketPool& tx, App& app);
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  /// One round of work at time `now`. Returns the number of packets and timers handled: 0 means idle.
  uint32_t turn(Nanos now);

  /// Number of the listener, or -EADDRINUSE, -EADDRNOTAVAIL.
  int listen(const ListenerConfig& config) { return engine_.listen(config); }
  /// The number that this listener would have, so that it is the same in other stacks.
  int reserve(const ListenerConfig& config) { return engine_.reserve(config); }
  /// Stops accepting; open connections go on.
  void unlisten(uint16_t listener) { engine_.unlisten(listener); }

  // Commands of the app. They may be called between turns; inside an App callback: all but connect and abort.

  /// Starts an active open from `local` (port 0: the stack picks one) to `remote`. App::opened or App::closed follows,
  /// with the returned handle. slot == kNoIndex when no slot, port or route is left (counted).
  Handle connect(Endpoint local, Endpoint remote, const ListenerConfig& framing, uint64_t token, Nanos now);
  /// Where several stacks have our addresses: the one that must be asked for this connection, if it is not this one.
  std::optional<uint32_t> elsewhere(const Endpoint& local, const Endpoint& remote) const {
    return engine_.elsewhere(local, remote);
  }
  void prefetch(uint32_t slot) const { engine_.prefetch(slot); }
  void prefetch_busy(uint32_t slot) const { engine_.prefetch_busy(slot); }
  /// Room for one more send at `level`; without it keep the packet and try again in a later turn.
  bool send_ready(uint8_t level) const { return engine_.send_ready(level); }
  /// Frames of all levels that wait for the port.
  uint32_t queued() const { return queue_.size(); }
  /// Takes over `packet` (payload at packet->data + packet->payload; payload_length and level are set). A message of
  /// several packets ends with `message_end`. False: the connection is gone or closing; the packet is released (counted).
  bool send(Handle handle, Packet* packet, Nanos now, bool message_end = true);
  /// Adds bytes behind the last packet of `level` that waits to be sent, as far as they make one segment of it. Returns
  /// how many were taken: small writes need no packet each.
  uint32_t append(Handle handle, uint8_t level, const uint8_t* bytes, uint32_t length, Nanos now);
  /// Bytes that wait to be sent, or are sent and not yet acknowledged. 0 for a dead handle.
  uint32_t unsent(Handle handle) const { return engine_.unsent(handle); }
  /// FIN after what is queued; the peer may go on sending (half close).
  void shutdown(Handle handle, Nanos now);
  /// FIN after what is queued; data that arrives from now on is answered by RST.
  void close(Handle handle, Nanos now);
  /// RST at once.
  void abort(Handle handle, CloseReason reason, Nanos now);
  /// App::drained(cookie) once not more than `low_water` bytes are unacknowledged.
  void request_drain(Handle handle, uint32_t low_water, uint32_t cookie, Nanos now);
  /// The app gives back one reference of a message's packet; on a stream its bytes leave the receive window.
  void release(Handle handle, Packet* packet, uint16_t length, Nanos now);

  /// One option of one connection, at once; native/tcp/options.hh has the numbers and what is returned.
  int set_option(Handle handle, TcpOption option, uint32_t value, Nanos now);
  /// What applies to the connection; nothing for a dead handle. Read only, so it may be called at any time between turns.
  std::optional<uint32_t> option(Handle handle, TcpOption option) const { return engine_.option(handle, option); }
  std::optional<TcpInfo> info(Handle handle) const { return engine_.info(handle); }
  /// Bytes from what the app reads next to the end of the urgent ones; 0: none is urgent.
  uint32_t urgent(Handle handle) const { return engine_.urgent(handle); }
  /// Bytes that the app may write now, by the connection's send_buffer and not_sent_low_water.
  uint32_t writable(Handle handle) const { return engine_.writable(handle); }

  bool alive(Handle handle) const { return engine_.alive(handle); }
  bool owns(const IpAddress& address) const { return ip_.owns(address); }
  /// There is a way to this address: connect() does not fail for want of one.
  bool routable(const IpAddress& address) const { return ip_.routable(address); }
  /// Our address for connections to `remote`; `::` without one of its family.
  IpAddress source_for(const IpAddress& remote) const { return ip_.source_for(remote); }

  /// The rules that judge frames from the next burst on: each frame is judged by one version, once. Returns those of
  /// before, which nothing uses any more; the caller frees them outside of the turn.
  std::unique_ptr<RuleBook> replace_rules(std::unique_ptr<RuleBook> fresh) {
    engine_.set_rules(fresh == nullptr ? nullptr : &fresh->classifier());
    return std::exchange(rules_, std::move(fresh));
  }
  /// nullptr: every frame has level 0.
  const RuleBook* rules() const { return rules_.get(); }

  /// The RX lanes and the TX queue go by another policy from the next turn on; what waits in them stays.
  void schedule(const PolicyConfig& policy);

  /// When to take the next turn at the latest, behind one at `now` that found nothing to do, if no packet and no command comes.
  Nanos next_deadline(Nanos now) const;

  /// More data comes from the driver than a turn takes at leisure: others than level 0 had better wait. Never for long.
  bool behind() const { return behind_; }

  const Counters& counters();
  const TcpEngine& engine() const { return engine_; }

 private:
  uint32_t receive(Nanos now);
  uint32_t expect(uint32_t most);
  uint32_t transmit(Nanos now);
  uint32_t poll(uint32_t bursts, Nanos now);
  void note_behind(uint32_t polled, Nanos now);
  uint32_t bursts_behind(Nanos took) const;
  void parse_burst(Packet** packets, uint32_t n, Nanos now);
  void at(Nanos now);

  Port& port_;
  PacketPool& rx_;
  uint32_t levels_;
  Nanos patience_;  ///< how long lower levels may wait for the driver; 0: not at all
  Counters counters_;
  RxQueue received_;
  TxQueue queue_;
  IpLayer ip_;
  TcpEngine engine_;
  std::unique_ptr<RuleBook> rules_;
  Nanos now_ = 0;
  Nanos next_tick_ = 0;
  bool behind_ = false;
  Nanos behind_since_ = 0;
  Nanos turned_ = 0;
  uint32_t bursts_ = 0;  ///< that a turn polls at most
  uint32_t data_polled_ = 0;  ///< frames with payload that this turn has polled
};

}  // namespace qstack
