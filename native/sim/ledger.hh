// Ledger: what is known of every connection from outside the stacks, and whether what they do fits to it.
//
// In: what applications sent and got, segments that leave a host and that reach one, control blocks after every turn.
// Out: a Note for each segment, and the first promise that was broken. Read first: RFC 9293 3.3.1, 3.4, 3.8.6.
// An attempt is one connection of a transfer; side 0 opened it, side 1 accepted it. It is known by the initial sequence
// number of side 0, so that segments of an earlier connection on the same ports are not taken for its own.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <unordered_map>

#include "native/sim/coverage.hh"
#include "native/sim/pattern.hh"
#include "native/sim/plan.hh"
#include "native/sim/segment_view.hh"
#include "native/tcp/app.hh"
#include "native/tcp/tcb.hh"

namespace qstack::sim {

struct Side {
  Handle handle;
  uint8_t host = 0;
  uint32_t life = 0;  ///< how often the host had crashed before
  bool opened = false, ended = false, closed = false;
  bool shut = false;      ///< the app sends nothing more
  bool given_up = false;  ///< the app closed or aborted: it reads nothing more
  bool gone = false;      ///< there is no control block any more: what is known of it may be old
  CloseReason reason{};
  uint64_t sent = 0, delivered = 0;  ///< bytes that the stack took from, and gave to, the app
  Coverage given;                    ///< places of what was delivered
  uint32_t next_place[kLevelsMax] = {};  ///< behind the last message of a level
  Seq iss = 0, irs = 0;
  uint8_t rcv_wscale = 0;
  // The wire.
  Seq snd_max = 0;  ///< end of what was ever sent
  Seq fin_seq = 0;
  bool fin_out = false;
  bool reset_out = false;          ///< an RST that ends it has left
  Seq last_ack = 0, edge_out = 0;  ///< highest that were sent
  Seq recv_max = 0;                ///< end of what has arrived of the peer's
  Seq edge_in = 0;                 ///< right edge of the widest window that has arrived
  std::vector<Seq> early_edges;    ///< that arrived before the app was told of the connection
  // The control block after the latest turn.
  Seq snd_una = 0, snd_nxt = 0, rcv_nxt = 0, rcv_adv = 0;
};

struct Attempt {
  uint32_t number = 0;
  uint32_t transfer = 0;
  const TransferPlan* plan = nullptr;
  uint16_t port = 0;  ///< of side 0
  Side side[2];
  bool doomed = false;  ///< may end in any way: a host has crashed, could not be found, or lies
  bool reborn = false;  ///< an old segment with a cookie has opened side 1 again: what it sent before may still leave
  bool altered = false;  ///< bytes were rewritten on their way: what they say counts no more, where they lie does
  bool late = false;    ///< begun after the network has healed
};

class Ledger {
 public:
  Ledger(const Plan& plan, const Nanos& now) : plan_(plan), now_(now) {}

  /// Sentences say what holds; the first that does not ends the run.
  bool require(bool holds, const char* sentence, const Attempt* attempt = nullptr, uint8_t side = 0) {
    if (!holds) [[unlikely]]
      note_breach(sentence, attempt, side);
    return holds;
  }
  bool broken() const { return !sentence_.empty(); }
  const std::string& sentence() const { return sentence_; }
  const std::string& detail() const { return detail_; }

  Attempt& begin(uint32_t transfer, uint8_t host, uint32_t life, Handle handle, uint16_t port, Seq iss);
  /// Whose SYN this was; null: nobody's.
  Attempt* accepted(uint8_t client, uint8_t server, const Opened& event, Seq irs);
  void opened(Attempt& attempt, uint8_t side, const Tcb& tcb);
  void crashed(uint8_t host);
  std::deque<Attempt>& attempts() { return attempts_; }

  /// The segment that `host` has just sent.
  Note sent(const SegmentView& segment);
  /// A segment that its checksums let through has reached a host.
  void arrived(const Note& note, bool rewritten);
  /// The control block of a live connection after a turn.
  void look(Attempt& attempt, uint8_t side, const Tcb& c, const Busy* b);
  /// The same for its queues: what is counted is there, in order and without gaps.
  void look_into_queues(const Attempt& attempt, uint8_t side, const Tcb& c, const Busy& b);
  /// What the app has before its turn.
  void look_into_early(const Attempt& attempt, uint8_t side, const Tcb& c, std::span<const SackBlock> early);

  /// Of all bytes that side `side` of an attempt sends.
  static uint64_t key_of(const Attempt& attempt, uint8_t side) { return mix(attempt.number * 2 + side) >> 32; }
  const Pattern& pattern() const { return pattern_; }

  /// Every segment is written to stderr.
  void set_trace(bool on) { trace_ = on; }
  uint64_t segments() const { return segments_; }
  /// Of every segment and its time: two runs that agree in it are the same.
  uint64_t digest() const { return digest_; }

 private:
  struct Flow {
    uint32_t client = kNoAttempt;  ///< attempt that side 0 has now, or had last
    uint32_t server = kNoAttempt;  ///< attempt that side 1 has been told of last
  };

  void note_breach(const char* sentence, const Attempt* attempt, uint8_t side);
  uint64_t flow_key(uint8_t client, uint16_t port, uint8_t server, uint16_t server_port, bool ipv6) const;
  Note sent_by(Attempt& attempt, uint8_t side, const SegmentView& segment);
  void trace(const SegmentView& segment, bool from_client) const;
  Note sent_syn(Attempt& attempt, uint8_t side, const SegmentView& segment);
  void check_text(Attempt& attempt, uint8_t side, const SegmentView& segment);
  void note_acknowledgment(const Side& me, const TcpSegment& segment, Note& note) const;
  void check_acknowledgment(Attempt& attempt, uint8_t side, const SegmentView& segment, Seq edge);
  void check_against_peer(const Attempt& attempt, uint8_t side, const Tcb& c);
  void check_against_app(const Attempt& attempt, uint8_t side, const Tcb& c, const Busy* b);
  bool one_level(const Attempt& attempt, uint8_t side) const;

  const Plan& plan_;
  const Nanos& now_;
  Pattern pattern_;
  std::deque<Attempt> attempts_;
  std::unordered_map<uint64_t, Flow> flows_;
  std::unordered_map<uint64_t, uint32_t> by_iss_;
  std::string sentence_, detail_;
  bool trace_ = false;
  uint64_t segments_ = 0;
  uint64_t digest_ = 0;
};

}  // namespace qstack::sim
