#include "test/script/runner.hh"

#include <deque>

#include "test/script/notation.hh"
#include "test/script/reader.hh"
#include "test/script/settings.hh"
#include "test/script/sockets.hh"
#include "test/script/state.hh"
#include "test/script/wire.hh"

namespace qstack::script {
namespace {

constexpr Nanos kStart = 1'000'000'000, kTick = 1'000'000;
/// How long a `*` waits.
constexpr Nanos kAnyTimeMax = 1'000'000'000'000;
constexpr uint32_t kRxPackets = 512, kTxPackets = 2'048;

class Player {
 public:
  explicit Player(const Script& script)
      : script_(script),
        settings_(settings_of(script)),
        wire_(script.ipv6, settings_.peer_isn, kStart),
        region_(kRxPackets + kTxPackets),
        rx_(region_.region(), 0, kRxPackets),
        tx_(region_.region(), kRxPackets, kTxPackets),
        port_(rx_, tx_, settings_.stack.ip.mac, 1u << 14, settings_.stack.ip.mtu),
        sockets_(rx_, tx_, wire_, settings_.socket, script.ipv6),
        stack_(settings_.stack, port_, rx_, tx_, sockets_) {
    sockets_.attach(stack_);
    turn();
  }

  Outcome play() {
    Outcome outcome;
    try {
      for (index_ = 0; index_ < script_.events.size(); ++index_) play_event(script_.events[index_]);
      index_ = script_.events.size() - 1;
      if (!sent_.empty()) unexpected("the end of the script");
      finish();
    } catch (const Fault& fault) {
      outcome.fault = fault.what;
    }
    outcome.conversation = std::move(conversation_);
    return outcome;
  }

 private:
  const Event& event() const { return script_.events[index_]; }
  Nanos elapsed() const { return now_ - kStart; }
  [[noreturn]] void fail(const std::string& why) const {
    throw Fault{script_.path + ":" + std::to_string(event().line) + ": " + why};
  }

  void turn() {
    stack_.turn(now_);
    while (const auto frame = port_.take()) sent_.push_back(Wire::observe(*frame, now_));
  }
  /// To the next tick, or to `end` when that is sooner.
  void step(Nanos end) {
    now_ = std::min(end, (now_ / kTick + 1) * kTick);
    turn();
  }

  Nanos at(Nanos offset) const { return (event().time.kind == Time::Kind::absolute ? kStart : last_) + offset; }

  void play_event(const Event& event) {
    if (const auto* const outbound = std::get_if<Outbound>(&event.what)) return expect(outbound->segment);
    advance(at(event.time.from));
    last_ = now_;
    note(event.text.substr(event.text.find_first_of("<>%abcdefghijklmnopqrstuvwxyz")));
    if (const auto* const inbound = std::get_if<Inbound>(&event.what)) arrive(*inbound);
    if (const auto* const call = std::get_if<Call>(&event.what)) make(*call);
    if (const auto* const assertions = std::get_if<Assertions>(&event.what)) compare(*assertions);
  }

  void note(const std::string& text) { conversation_ += to_text(elapsed()) + " " + text + "\n"; }

  void advance(Nanos target) {
    if (target < now_) fail("its time has gone by: it is " + to_text(elapsed()) + " already");
    if (!sent_.empty()) unexpected(event().text);
    while (now_ < target) {
      step(target);
      if (!sent_.empty()) unexpected(event().text);
    }
  }

  [[noreturn]] void unexpected(const std::string& before) {
    const Observed seen = take();
    const std::string came = describe(seen, nullptr);
    note("> " + came);
    fail("what the stack sent has no line\n  expected: nothing before " + before + "\n  came:     " +
         to_text(seen.at - kStart) + " > " + came);
  }

  Observed take() {
    const Observed seen = sent_.front();
    sent_.pop_front();
    return seen;
  }

  /// As a line of the script; IP fields only where `expected` has them.
  std::string describe(const Observed& seen, const Segment* expected) {
    if (!seen.fault.empty()) return seen.fault;
    Segment s = wire_.translate(seen, expected);
    if (expected == nullptr || !expected->ip.ecn) s.ip.ecn.reset();
    if (expected == nullptr || !expected->ip.tos) s.ip.tos.reset();
    if (expected == nullptr || !expected->ip.ttl) s.ip.ttl.reset();
    return to_text(s);
  }

  void expect(const Segment& expected) {
    const Time& time = event().time;
    const bool any = time.kind == Time::Kind::any;
    const Nanos from = any ? now_ : at(time.from) - std::min(at(time.from), settings_.tolerance);
    const Nanos to = any ? now_ + kAnyTimeMax : at(time.to) + settings_.tolerance;
    while (sent_.empty() && now_ < to) step(to);
    if (sent_.empty()) {
      fail("the stack sent nothing\n  expected: " + event().text + "\n  came:     nothing until " + to_text(elapsed()));
    }
    const Observed seen = take();
    const Nanos written = time.kind == Time::Kind::absolute ? time.from : last_ - kStart + time.from;
    last_ = seen.at;
    const std::string came = describe(seen, &expected);
    conversation_ += to_text(seen.at - kStart) + " > " + came + "\n";
    std::string differs = differences(seen, expected);
    if (!any && (seen.at < from || seen.at > to)) differs += (differs.empty() ? "" : ", ") + std::string("time");
    if (differs.empty()) return;
    const std::string when = any ? "" : to_text(written) + " ";
    fail("the stack sent something else (" + differs + ")\n  expected: " + when + "> " + to_text(expected) +
         "\n  came:     " + to_text(seen.at - kStart) + " > " + came);
  }

  std::string differences(const Observed& seen, const Segment& expected) {
    if (!seen.fault.empty()) return "not a segment";
    const Segment s = wire_.translate(seen, &expected);
    std::string all;
    const auto note_if = [&](bool differs, const char* what) {
      if (differs) all += (all.empty() ? "" : ", ") + std::string(what);
    };
    note_if(seen.peer != wire_.resolve(expected.peer), "peer");
    note_if(s.flags != expected.flags, "flags");
    note_if(s.seq != expected.seq, "sequence number");
    note_if(s.length != expected.length, "length");
    note_if(s.ack != expected.ack && (expected.flags & kAck), "ack");
    note_if(expected.window && s.window != expected.window, "win");
    note_if(expected.urgent && s.urgent != expected.urgent, "urg");
    note_if(!expected.any_options && s.options != expected.options, "options");
    note_if(expected.ip.ecn && s.ip.ecn != expected.ip.ecn, "ECN");
    note_if(expected.ip.tos && s.ip.tos != expected.ip.tos, "TOS");
    note_if(expected.ip.ttl && s.ip.ttl != expected.ip.ttl, "TTL");
    const auto wrong = wire_.wrong_byte(seen);
    if (wrong) all += (all.empty() ? "" : ", ") + std::string("the byte ") + std::to_string(*wrong);
    return all;
  }

  void arrive(const Inbound& inbound) {
    const auto* const segment = std::get_if<Segment>(&inbound.what);
    const auto frame = segment != nullptr ? wire_.frame_of(*segment) : wire_.frame_of(std::get<Icmp>(inbound.what));
    const std::string size = std::to_string(frame.size());
    if (frame.size() > kRoom) fail("a frame of " + size + " bytes is too long: at most " + std::to_string(kRoom));
    port_.inject(frame);
    if (!settings_.burst || !another_now()) turn();
  }

  bool another_now() const {
    if (index_ + 1 == script_.events.size()) return false;
    const Event& next = script_.events[index_ + 1];
    const bool now = next.time.kind == Time::Kind::relative && next.time.from == 0;
    return now && std::holds_alternative<Inbound>(next.what);
  }

  void make(const Call& call) {
    Sockets::Result result;
    try {
      result = sockets_.call(call, now_);
    } catch (const Fault& fault) {
      fail(fault.what);
    }
    const bool same = result.value == call.result && (call.error.empty() || call.error == result.error);
    if (!same) {
      fail("the call gave something else\n  expected: " + std::to_string(call.result) + " " + call.error +
           "\n  came:     " + std::to_string(result.value) + " " + result.error);
    }
    turn();
  }

  void compare(const Assertions& assertions) {
    for (const Comparison& c : assertions.all) {
      const auto value = state_named(c.name, stack_, sockets_);
      if (!value) fail("there is no '" + c.name + "' here");
      const bool holds = c.relation == "==" ? *value == c.value : c.relation == "!=" ? *value != c.value
                         : c.relation == "<" ? *value < c.value : c.relation == "<=" ? *value <= c.value
                         : c.relation == ">" ? *value > c.value : *value >= c.value;
      if (holds) continue;
      fail("it does not hold\n  expected: " + c.name + " " + c.relation + " " + std::to_string(c.value) +
           "\n  came:     " + c.name + " == " + std::to_string(*value));
    }
  }

  /// All memory comes back once the app has let go of everything.
  void finish() {
    sockets_.finish(now_);
    for (int i = 0; i < 4; ++i) step(now_ + kTick);
    if (rx_.available() == kRxPackets && tx_.available() == kTxPackets) return;
    fail("packets are lost: " + std::to_string(kRxPackets - rx_.available()) + " received ones, " +
         std::to_string(kTxPackets - tx_.available()) + " to send");
  }

  const Script& script_;
  Settings settings_;
  Wire wire_;
  HeapRegion region_;
  HeapPool rx_, tx_;
  PairPort port_;
  Sockets sockets_;
  Stack stack_;
  Nanos now_ = kStart, last_ = kStart;
  size_t index_ = 0;
  std::deque<Observed> sent_;
  std::string conversation_;
};

}  // namespace

Outcome run_script(const Script& script) {
  try {
    return Player(script).play();
  } catch (const Fault& fault) {
    return {fault.what, {}};
  }
}

Outcome run_script_file(const std::string& path) {
  try {
    return run_script(read_script_file(path));
  } catch (const Fault& fault) {
    return {fault.what, {}};
  }
}

}  // namespace qstack::script
