// FuzzApp: the program above the stack, which does what a script says and checks what it is told (native/tcp/app.hh).
//
// Checked: opened once, closed once and last, ended at most once and after every byte; each delivered byte is the one
// that the peer sent at that place of the sequence space, once, and in order where no message may overtake others; sums and
// urgent pointers fit the sequence numbers.
#pragma once

#include <functional>
#include <map>

#include "native/sim/coverage.hh"
#include "native/stack/stack.hh"
#include "test/fuzz/peer.hh"

namespace qstack::fuzz {

class FuzzApp final : public App {
 public:
  struct Connection {
    Handle handle;
    Seq first = 0;  ///< sequence number of the peer's first byte
    Seq delivered = 0;
    sim::Coverage given;  ///< places of what was delivered
    size_t sent = 0;
    bool ended = false;
    bool lied_to = false;  ///< what the bytes are counts no more, where they lie does
    std::vector<Message> kept;
  };

  bool opened(const Opened& event) override;
  bool message(const Message& event) override;
  bool ended(Handle handle) override;
  bool closed(Handle handle, CloseReason reason) override;
  bool drained(Handle, uint32_t) override { return !refuse; }
  bool urgent(Handle handle) override;

  /// The connection with this number of those that are open, or null.
  Connection* choose(uint32_t number);
  void send(Connection& c, PacketPool& tx, uint16_t length, uint8_t level, bool message_end);
  void release(Connection& c);
  void release_all();
  /// What must be true of every connection between two turns.
  void check_connections(const std::function<void(const Tcb&, const Busy*)>& visit) const;
  void check_info(const Connection& connection, const Tcb& c) const;

  Stack* stack = nullptr;
  const Nanos* now = nullptr;
  uint32_t liar = 0;    ///< address of a peer that lies
  bool refuse_low = false;  ///< no room for messages below level 0
  bool refuse = false;  ///< no room for events
  bool keep = false;    ///< messages are released later
  bool framed = false;  ///< messages may lag behind the bytes that were received
  bool overtakes = false;  ///< messages may come before others
  std::map<uint32_t, Connection> open;
};

inline bool FuzzApp::opened(const Opened& event) {
  if (refuse) return false;
  require(open.count(event.handle.slot) == 0, "a slot is opened once");
  open[event.handle.slot] = {event.handle, stack->engine().inspect(event.handle)->rcv_nxt, 0, {}, 0, false, event.remote.address == IpAddress(liar), {}};
  return true;
}

inline bool FuzzApp::message(const Message& event) {
  const auto found = open.find(event.handle.slot);
  require(found != open.end() && found->second.handle == event.handle, "messages follow the opening");
  Connection& c = found->second;
  require(!c.ended, "no message follows the end");
  require(event.length != 0, "a message has bytes");
  if (refuse || (refuse_low && event.level != 0)) return false;
  require(stack->alive(event.handle), "messages come from connections that live");
  const uint8_t* const bytes = event.packet->data + event.offset;
  const Seq first = event.packet->sequence + event.offset - event.packet->payload;
  for (uint16_t i = 0; i < event.length && !c.lied_to; ++i) {
    require(bytes[i] == peer_byte(first + i), "each byte comes in its place");
  }
  require(c.given.add(first - c.first, event.length), "each byte comes once");
  require(overtakes || first == c.first + c.delivered, "bytes come in order");
  c.delivered += event.length;
  if (keep) {
    c.kept.push_back(event);
  } else {
    stack->release(event.handle, event.packet, event.length, *now);
  }
  return true;
}

inline bool FuzzApp::ended(Handle handle) {
  const auto found = open.find(handle.slot);
  require(found != open.end() && found->second.handle == handle, "an end follows the opening");
  if (refuse) return false;
  Connection& c = found->second;
  const Tcb* const tcb = stack->engine().inspect(handle);
  require(!c.ended, "a connection ends once");
  require(tcb != nullptr && (framed || tcb->rcv_nxt == c.first + c.delivered + 1), "the end follows every byte");
  c.ended = true;
  return true;
}

inline bool FuzzApp::closed(Handle handle, CloseReason) {
  if (refuse) return false;
  const auto found = open.find(handle.slot);
  if (found == open.end()) return true;  // an active open that was never established
  require(found->second.handle == handle, "the connection that closes is the one that was opened");
  release(found->second);
  open.erase(found);
  return true;
}

inline FuzzApp::Connection* FuzzApp::choose(uint32_t number) {
  if (open.empty()) return nullptr;
  auto at = open.begin();
  std::advance(at, number % open.size());
  return &at->second;
}

inline void FuzzApp::send(Connection& c, PacketPool& tx, uint16_t length, uint8_t level, bool message_end) {
  if (!stack->send_ready(0)) return;
  Packet* const packet = tx.allocate();
  if (packet == nullptr) return;
  packet->data = PacketRegion::payload_start(packet);
  packet->payload = 0;
  packet->payload_length = length;
  packet->level = level;
  for (uint16_t i = 0; i < length; ++i) packet->data[i] = app_byte(c.sent + i);
  if (stack->send(c.handle, packet, *now, message_end)) c.sent += length;
}

inline void FuzzApp::release(Connection& c) {
  for (const Message& m : c.kept) stack->release(m.handle, m.packet, m.length, *now);
  c.kept.clear();
}

inline void FuzzApp::release_all() {
  for (auto& [slot, connection] : open) release(connection);
}

inline bool FuzzApp::urgent(Handle handle) {
  require(open.count(handle.slot) != 0 && open[handle.slot].handle == handle, "urgent data are those of an open connection");
  require(stack->urgent(handle) != 0, "what is told to be urgent has not been read");
  return !refuse;
}

inline void FuzzApp::check_info(const Connection& connection, const Tcb& c) const {
  const TcpInfo info = *stack->info(connection.handle);
  require(info.urgent_bytes < 1u << 20, "the end of what is urgent is a pointer away from the window");
  if (info.sums == 0) return;
  const uint32_t received = c.rcv_nxt - connection.first - (c.has(kFinReceived) ? 1 : 0);
  require(static_cast<uint32_t>(info.bytes_received) == received, "bytes received are those that RCV.NXT has passed");
  require(info.bytes_acked <= info.bytes_sent && info.bytes_retrans <= info.bytes_sent, "only what was sent is acknowledged");
  require(info.data_segs_in <= info.segs_in && info.data_segs_out <= info.segs_out, "segments with data are segments");
}

inline void FuzzApp::check_connections(const std::function<void(const Tcb&, const Busy*)>& visit) const {
  for (const auto& [slot, connection] : open) {
    const Tcb* const c = stack->engine().inspect(connection.handle);
    if (c == nullptr) continue;
    require(seq_le(c->snd_una, c->snd_nxt), "SND.UNA is not beyond SND.NXT");
    require(seq_le(c->rcv_nxt, c->rcv_adv), "the window that we offered does not end before RCV.NXT");
    require(c->snd_nxt - c->snd_una <= 1u << 30, "what is in flight fits into a window (RFC 7323 2.3)");
    check_info(connection, *c);
    visit(*c, stack->engine().inspect_busy(*c));
  }
}

}  // namespace qstack::fuzz
