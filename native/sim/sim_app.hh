// SimApp: the program above a simulated stack: it writes, reads, refuses, closes and aborts as its plan says, and
// checks what it is told (native/tcp/app.hh).
//
// Checked: opened once, ended at most once and after every byte, closed once and last; each byte is the one that the
// peer's app wrote at that place, once; messages of a level come in order, unless the host says otherwise, and each has the
// level of its first byte, where the host judges by it. After heal() it does nothing that holds a transfer up.
#pragma once

#include <array>
#include <deque>

#include "native/sim/ledger.hh"
#include "native/stack/stack.hh"

namespace qstack::sim {

/// A listener of that host, or an active open (port 0).
inline ListenerConfig listener_of(const HostPlan& host, const FramingPlan& framing, uint16_t port) {
  ListenerConfig config = {{}, port, framing.framing, framing.fixed_length};
  config.prefix = framing.prefix;
  config.unordered = host.unordered;
  return config;
}

/// One side of a connection as its app sees it.
struct End {
  Attempt* attempt = nullptr;  ///< null: the slot is free
  uint8_t side = 0;
  Nanos wake = 0;                                                ///< nothing to write before
  bool waits = false;                                            ///< for App::drained
  uint32_t next_out[kLevelsMax] = {}, next_in[kLevelsMax] = {};  ///< messages by level
  struct Kept {
    Message message;
    Nanos until;
  };
  std::deque<Kept> kept;

  Side& mine() const { return attempt->side[side]; }
  const Behaviour& plan() const { return attempt->plan->side[side]; }
  const Behaviour& peer_plan() const { return attempt->plan->side[1 - side]; }
  const FramingPlan& framing() const { return kFramings[attempt->plan->framing[side]]; }
  /// Of what the peer receives.
  const FramingPlan& peer_framing() const { return kFramings[attempt->plan->framing[1 - side]]; }
};

class SimApp final : public App {
 public:
  /// `stack`: number of its stack on the host.
  SimApp(const HostPlan& plan, uint8_t host, uint32_t stack, uint32_t life, uint64_t seed, Ledger& ledger, const Nanos& now,
         const bool& healed)
      : plan_(plan),
        host_(host),
        life_(life),
        seed_(seed),
        random_(seed, kPurpose + host, uint64_t{stack} << 32 | life),
        ledger_(ledger),
        now_(now),
        healed_(healed) {}
  void attach(Stack& stack, PacketPool& rx, PacketPool& tx) { stack_ = &stack, rx_ = &rx, tx_ = &tx; }

  bool opened(const Opened& event) override;
  bool message(const Message& event) override;
  bool has_budget(uint8_t level) const override { return !plan_.defers || !stalls(level); }
  bool ended(Handle handle) override;
  bool closed(Handle handle, CloseReason reason) override;
  bool drained(Handle handle, uint32_t cookie) override;

  /// False: no slot, port or route just now, or the port is another stack's. `port` 0: the stack picks one.
  bool connect(uint32_t transfer, const TransferPlan& plan, uint16_t port);
  /// The stack whose port it is, if not this one's.
  std::optional<uint32_t> elsewhere(const TransferPlan& plan, uint16_t port) const;
  /// What is due by now. True: the stack has something to do.
  bool step();
  /// When it wants to be asked again.
  Nanos next_wake() const;
  /// Gives up every connection that is left, and every message.
  void abort_all();
  bool idle() const { return active_.empty(); }
  /// Slots of the connections that are not closed.
  const std::vector<uint32_t>& active() const { return active_; }
  End& end_at(uint32_t slot) { return ends_[slot]; }

 private:
  static constexpr uint64_t kPurpose = 200;

  End* find(Handle handle);
  void take(Attempt& attempt, uint8_t side, Handle handle);
  bool step(End& end);
  bool orphaned(const End& end) const;
  bool write(End& end);
  bool write_one(End& end);
  void fill(End& end, Packet& packet, uint8_t level, uint16_t length);
  bool finish_writing(End& end);
  bool release_due(End& end);
  void release_all(End& end);
  void check_place(End& end, const Message& event);
  void check_bytes(End& end, const uint8_t* bytes, uint16_t length, uint32_t place);
  void check_message(End& end, const uint8_t* bytes, uint16_t length);
  uint16_t next_length(End& end);
  bool stalls(uint8_t level) const;
  bool refuses() { return !healed_ && random_.chance(plan_.refusal_ppm); }

  const HostPlan& plan_;
  uint8_t host_;
  uint32_t life_;
  uint64_t seed_;
  Random random_;
  Ledger& ledger_;
  const Nanos& now_;
  const bool& healed_;
  Stack* stack_ = nullptr;
  PacketPool* rx_ = nullptr;
  PacketPool* tx_ = nullptr;
  std::array<End, 64> ends_;
  std::vector<uint32_t> active_;  ///< slots, in the order of their opening
};

}  // namespace qstack::sim
