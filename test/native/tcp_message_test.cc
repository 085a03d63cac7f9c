// Messages: how bytes are cut, which level each has, and which are handed over before others (native/tcp/messages.cc,
// early.cc). The peer is written segment by segment: segments are lost, cut, joined and repeated at will.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "test/native/message_rules.hh"
#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr Seq kNearWrap = 0xffffff40;  ///< most tests cross the end of the sequence numbers
using Texts = std::vector<std::string>;
using Levels = std::vector<uint8_t>;

ListenerConfig fixed(uint16_t length) {
  ListenerConfig config;
  config.framing = Framing::fixed;
  config.fixed_length = length;
  return config;
}

ListenerConfig prefixed(LengthPrefix prefix) {
  ListenerConfig config;
  config.framing = Framing::length_prefix;
  config.prefix = prefix;
  return config;
}

ListenerConfig segments() {
  ListenerConfig config;
  config.framing = Framing::segment;
  return config;
}

ListenerConfig unordered(ListenerConfig config) {
  config.unordered = true;
  return config;
}

/// Ten bytes: a letter, the level, and the letter again.
std::string ten(char letter, uint8_t level) { return letter + std::string(1, static_cast<char>(level)) + std::string(8, letter); }

/// A level, a length of two bytes, and what follows.
std::string framed(uint8_t level, const std::string& text) {
  const auto length = static_cast<uint16_t>(text.size() + 3);
  return std::string{static_cast<char>(level), static_cast<char>(length >> 8), static_cast<char>(length)} + text;
}
constexpr LengthPrefix kFramed = {1, 2, false, 0, 1'000};

/// A server of four levels, and the bytes of one connection by their place.
struct Scene {
  explicit Scene(ListenerConfig listener, uint16_t level_at = 1, HostOptions options = server_for_peer())
      : world({host_config(2)}, std::move(options)), peer(world) {
    listener.port = World::kPort;
    world.server.stack.replace_rules(rules_by_byte(level_at, 4));
    REQUIRE(world.server.stack.listen(listener) >= 0);
    peer.seq = kNearWrap;
    TcpOptions syn;
    syn.sack_permitted = true;
    syn.mss = 1'460;
    handle = peer.open(syn);
    first = peer.seq;
    peer.take();
  }
  /// These bytes of the stream, wherever the connection is.
  void send(size_t place, const std::string& bytes, uint8_t flags = kAck) {
    peer.send({.flags = flags, .seq = first + static_cast<uint32_t>(place), .ack = peer.ack, .payload = bytes});
    for (const Incoming& in : peer.take()) answers.push_back(in.segment);
  }
  void wait(uint64_t ms) {
    peer.wait(ms);
    for (const Incoming& in : peer.take()) answers.push_back(in.segment);
  }
  Recorder::Seen& seen() { return world.server.app.of(handle); }
  /// Letters of the messages, in the order in which they were handed over.
  std::string letters() {
    std::string all;
    for (const std::string& message : seen().messages) all += message[0];
    return all;
  }
  uint32_t acknowledged() const { return answers.empty() ? 0 : answers.back().ack - first; }
  uint64_t count(Counter counter) { return world.server.count(counter); }
  const Busy* busy() { return world.server.stack.engine().inspect_busy(*world.server.tcb(handle)); }

  World world;
  Peer peer;
  Handle handle;
  Seq first = 0;
  std::vector<TcpSegment> answers;
};

/// An app without room for messages of some levels.
struct FullScene {
  explicit FullScene(ListenerConfig listener, uint16_t level_at) : scene(std::move(listener), level_at) {
    scene.world.server.app.on_refusal = [this](const Message& m) { return full[m.level]; };
  }
  Scene scene;
  bool full[kLevelsMax] = {};
};

}  // namespace

TEST_CASE("lengthPrefix: messages come whole, whether coalesced, split, or with the length itself across segments") {
  const LengthPrefix prefixes[] = {
      {0, 1, false, 1, 200}, {0, 2, false, 2, 1'000}, {3, 2, true, 0, 1'000}, {2, 4, false, -7, 1'000}, {5, 4, true, 9, 1'000}};
  for (const LengthPrefix& prefix : prefixes) {
    std::string bytes;
    Texts expected;
    for (uint32_t i = 0; i < 60; ++i) {
      const uint32_t most = prefix.maximum - prefix.header();
      std::string message = pattern(prefix.header() + i * i % (i % 7 == 0 ? most : 40), i + 1);
      if (i == 59) message = pattern(prefix.maximum, i);
      const uint32_t number = static_cast<uint32_t>(message.size()) - static_cast<uint32_t>(prefix.adjust);
      for (uint32_t k = 0; k < prefix.width; ++k) {
        const uint32_t shift = 8 * (prefix.little_endian ? k : prefix.width - 1 - k);
        message[prefix.offset + k] = static_cast<char>(number >> shift);
      }
      bytes += message;
      expected.push_back(message);
    }
    for (const size_t step : {1u, 2u, 3u, 7u, 100u, 1'000u, 1'400u}) {
      Scene scene(prefixed(prefix));
      for (size_t at = 0; at < bytes.size(); at += step) scene.send(at, bytes.substr(at, step));
      CHECK(scene.seen().messages == expected);
      CHECK(scene.acknowledged() <= bytes.size());
      scene.wait(100);
      CHECK(scene.acknowledged() == bytes.size());
      CHECK(scene.world.server.stack.engine().busy_used() == 0);
      CHECK(scene.world.nothing_leaked());
    }
  }
}

TEST_CASE("a length that no message has ends its connection with a reason of its own, is counted, and hurts no other") {
  for (const std::string& bad : {framed(0, "").replace(1, 2, 2, '\0'), std::string("\0\0\2", 3), std::string("\0\3\xe9", 3)}) {
    for (const size_t cut : {1u, 2u, 3u}) {
      Scene scene(prefixed(kFramed), 0);
      Peer other(scene.world, 6'000);
      const Handle kept = other.open();
      const std::string good = framed(1, "good");
      scene.send(0, good + bad.substr(0, cut));
      scene.send(good.size() + cut, bad.substr(cut) + "rest");
      CHECK(scene.seen().messages == Texts{good});
      CHECK(scene.seen().closed);
      CHECK(scene.seen().reason == CloseReason::bad_message);
      CHECK((scene.answers.back().flags & kRst) != 0);
      CHECK(scene.count(Counter::messages_malformed) == 1);
      CHECK(scene.world.server.stack.alive(kept));
      CHECK(scene.world.nothing_leaked());
    }
  }
}

TEST_CASE("a length of exactly the maximum is a message, and one with nothing behind its number as well") {
  Scene scene(prefixed(kFramed), 0);
  const std::string most = framed(3, std::string(997, 'm')), least = framed(2, "");
  scene.send(0, most + least);
  CHECK(scene.seen().messages == Texts{most, least});
  CHECK(scene.seen().levels == Levels{3, 2});
}

TEST_CASE("a message has the level of its first byte, not that of the frame it came in") {
  Scene scene(prefixed(kFramed), 0);
  const std::string low = framed(3, "low"), high = framed(0, "high"), mid = framed(1, std::string(900, '\0'));
  scene.send(0, low + high + mid.substr(0, 500));
  scene.send(low.size() + high.size() + 500, mid.substr(500) + high);  // its frame begins with a 0, the level of others
  CHECK(scene.seen().messages == Texts{low, high, mid, high});
  CHECK(scene.seen().levels == Levels{3, 0, 1, 0});
  CHECK(scene.world.server.stack.counters().messages_by_level[0] == 2);
}

TEST_CASE("a message is judged by its whole header, wherever segments cut it") {
  for (size_t cut = 1; cut < 12; ++cut) {
    Scene scene(fixed(12), 9);
    const std::string message = std::string(9, '\1') + std::string(1, '\2') + "\1\1";
    scene.send(0, message.substr(0, cut));
    scene.send(cut, message.substr(cut));
    CHECK(scene.seen().levels == Levels{2});
  }
}

TEST_CASE("what rules ask for behind the end of a message is not there, although another follows in its frame") {
  Scene scene(prefixed(kFramed), 5);
  const std::string brief = framed(9, "a"), high = framed(9, std::string("aa\0", 3));
  scene.send(0, brief + framed(9, std::string(3, '\0')) + high);
  CHECK(scene.seen().levels == Levels{3, 0, 0});
}

TEST_CASE("-i says where the payload of frames begins: messages then have the level of their frame") {
  Scene scene(fixed(10));
  std::vector<uint8_t> table(rule_table::kHeaderBytes + rule_table::kRuleBytes + rule_table::kConditionBytes);
  const uint8_t header[] = {'Q', 'S', 'C', 'L', rule_table::kVersion, 4, 3, rule_table::kPayloadAt, 1, 0, 1, 0, 0, 0, 21};
  std::copy(std::begin(header), std::end(header), table.begin());
  table[rule_table::kHeaderBytes + 1] = 1;
  uint8_t* const condition = table.data() + rule_table::kHeaderBytes + rule_table::kRuleBytes;
  condition[0] = static_cast<uint8_t>(rule_table::Base::payload);
  condition[1] = 1;
  condition[8] = 0xff;
  scene.world.server.stack.replace_rules(std::make_unique<RuleBook>(std::get<Classifier>(Classifier::load(table))));
  scene.send(0, ten('a', 0) + ten('b', 3));
  scene.send(20, ten('c', 3) + ten('d', 0));
  CHECK(scene.seen().levels == Levels{0, 0, 3, 3});
}

TEST_CASE("a whole message of a higher level is handed over past a hole, once, and the rest in order") {
  for (const ListenerConfig& listener : {unordered(fixed(10)), unordered(segments())}) {
    Scene scene(listener);
    scene.send(0, ten('a', 3));
    scene.send(20, ten('c', 3));
    scene.send(30, ten('d', 0));
    scene.send(40, ten('e', 3));
    CHECK(scene.letters() == "ad");
    CHECK(scene.seen().levels == Levels{3, 0});
    CHECK(scene.acknowledged() == 10);
    scene.send(30, ten('d', 0));  // again, as if no SACK had told of it
    CHECK(scene.letters() == "ad");
    scene.send(10, ten('b', 3));
    CHECK(scene.letters() == "adbce");
    CHECK(scene.acknowledged() == 50);
    CHECK(scene.count(Counter::messages_early) == 1);
    CHECK(scene.world.server.stack.engine().early_used() == 0);
    scene.wait(100);
    CHECK(scene.world.server.stack.engine().busy_used() == 0);
    CHECK(scene.world.nothing_leaked());
  }
}

TEST_CASE("without `unordered` nothing passes a hole, since what was lost may be of the same level") {
  Scene scene(fixed(10));
  scene.send(10, ten('b', 0));
  CHECK(scene.letters().empty());
  scene.send(0, ten('a', 0));
  CHECK(scene.letters() == "ab");
}

TEST_CASE("the lowest level passes no hole: it has nobody to overtake") {
  Scene scene(unordered(fixed(10)));
  scene.send(10, ten('b', 3));
  CHECK(scene.letters().empty());
  CHECK(scene.count(Counter::messages_early) == 0);
}

TEST_CASE("fixed: beyond a hole boundaries are known, also where the hole is inside of a message that has begun") {
  Scene scene(unordered(fixed(10)));
  const std::string bytes = ten('a', 3) + ten('b', 3) + ten('c', 1) + ten('d', 3) + ten('e', 0) + ten('f', 3);
  scene.send(0, bytes.substr(0, 4));
  scene.send(17, bytes.substr(17, 9));  // ends inside of c
  CHECK(scene.letters().empty());
  scene.send(26, bytes.substr(26, 8));  // c is whole: it lies in two packets
  CHECK(scene.letters() == "c");
  scene.send(34, bytes.substr(34));
  CHECK(scene.letters() == "ce");
  scene.send(4, bytes.substr(4, 13));
  CHECK(scene.letters() == "ceabdf");
  CHECK(scene.seen().levels == Levels{1, 0, 3, 3, 3, 3});
  CHECK(scene.acknowledged() == 60);
  scene.wait(100);
  CHECK(scene.world.nothing_leaked());
}

TEST_CASE("lengthPrefix: past a hole messages are found where it lies inside of one whose length is known, and nowhere else") {
  const std::string bulk = framed(3, std::string(500, 'b')), high = framed(0, "high"), low = framed(3, "low");
  const std::string bytes = bulk + high + low + high;
  {
    Scene scene(unordered(prefixed(kFramed)), 0);
    scene.send(0, bytes.substr(0, 100));
    scene.send(200, bytes.substr(200));
    CHECK(scene.seen().messages == Texts{high, high});
    scene.send(100, bytes.substr(100, 100));
    CHECK(scene.seen().messages == Texts{high, high, bulk, low});
    scene.wait(100);
    CHECK(scene.world.nothing_leaked());
  }
  Scene scene(unordered(prefixed(kFramed)), 0);
  scene.send(200, bytes.substr(200));
  CHECK(scene.seen().messages.empty());
  scene.send(0, bytes.substr(0, 200));
  CHECK(scene.seen().messages == Texts{bulk, high, low, high});
}

TEST_CASE("lengthPrefix: a length that comes again as another, reaching into what was handed over, brings nothing twice") {
  const std::string low = framed(3, "low low"), high = framed(0, "highest");
  Scene scene(unordered(prefixed(kFramed)), 0);
  scene.send(0, framed(3, std::string(97, 'b')).substr(0, 3));  // the next message begins at 100
  std::string pairs;
  for (int i = 0; i < 8; ++i) pairs += low + high;
  scene.send(100, pairs);
  CHECK(scene.seen().messages.size() == 8);
  scene.send(99, 'b' + framed(0, std::string(147, 'h')) + std::string(12, 'h'));
  CHECK(scene.seen().messages.size() == 8);
  scene.send(3, std::string(96, 'b'));
  scene.send(scene.acknowledged(), "", kRst | kAck);
  scene.wait(100);
  CHECK(scene.world.nothing_leaked());
}

TEST_CASE("a message that comes again with a length that takes in what was handed over ends its connection") {
  const std::string low = framed(3, std::string(21, 'a')), high = framed(0, "high");
  // Its header again with its body, alone, and alone in part.
  const std::string longer = framed(3, std::string(low.size() + high.size(), 'a'));
  for (const size_t again : {low.size(), size_t{3}, size_t{2}}) {
    FullScene s(prefixed(kFramed), 0);
    s.full[3] = true;
    s.scene.send(0, low + high);
    CHECK(s.scene.seen().messages == Texts{high});
    s.scene.world.server.app.on_refusal = [&](const Message& m) { return m.length == low.size(); };
    s.scene.send(0, longer.substr(0, again));
    s.scene.send(again, longer.substr(again));
    CHECK(s.scene.seen().messages == Texts{high});
    CHECK(s.scene.seen().reason == CloseReason::bad_message);
    s.scene.wait(100);
    CHECK(s.scene.world.nothing_leaked());
  }
}

TEST_CASE("a message whose end was handed over early is judged without what was cut off") {
  Scene scene(unordered(segments()), 12);
  const std::string message = "mm" + std::string(18, '\0');
  scene.send(20, message);
  CHECK(scene.letters() == "m");
  scene.send(10, std::string(10, 'f') + message);  // byte 12 of the frame is of `message`
  CHECK(scene.letters() == "m");
  scene.send(0, std::string(10, 'h'));
  CHECK(scene.letters() == "mhf");
  CHECK(scene.acknowledged() == 40);
}

TEST_CASE("a level without budget is deferred: nothing of it is kept or acknowledged, and it comes when there is some") {
  Scene scene(fixed(10));
  scene.world.server.app.spent[3] = true;
  const uint32_t free = scene.world.server.rx.available();
  scene.send(0, ten('a', 3));
  scene.wait(100);
  CHECK(scene.letters().empty());
  CHECK(scene.answers.empty());
  CHECK(scene.world.server.rx.available() == free);
  CHECK(scene.count(Counter::rx_deferred) == 1);
  CHECK(scene.world.server.stack.counters().deferred_by_level[3] == 1);
  scene.send(0, ten('b', 0) + ten('c', 3));  // the frame has the level of its first message
  CHECK(scene.letters() == "bc");
  scene.world.server.app.spent[3] = false;
  scene.send(20, ten('d', 3));
  CHECK(scene.letters() == "bcd");
}

TEST_CASE("a stream without budget is offered no more window, and what it was offered stays") {
  Scene scene({});
  scene.send(0, std::string(1'000, 's'));
  scene.wait(100);
  const auto edge = [&] { return scene.answers.back().ack + scene.answers.back().window - scene.first; };
  const uint32_t before = edge();
  scene.world.server.app.spent[scene.seen().levels.front()] = true;
  scene.peer.send({.seq = scene.first + 999, .ack = scene.peer.ack, .payload = "s"});  // asks where we are
  scene.wait(100);
  CHECK(scene.acknowledged() == 1'000);
  CHECK(edge() == before);
  scene.world.server.app.spent[scene.seen().levels.front()] = false;
  for (uint32_t at = 1'000; at < 9'000; at += 1'000) scene.send(at, std::string(1'000, 's'));
  scene.wait(100);
  CHECK(scene.acknowledged() == 9'000);
  CHECK(edge() > before);
}

TEST_CASE("nothing behind a FIN is handed over, or kept") {
  for (const bool before : {true, false}) {
    Scene scene(fixed(10));
    if (before) scene.send(11, ten('x', 0));
    scene.send(0, ten('a', 3), kAck | kFin);
    if (!before) scene.send(11, ten('x', 0));
    scene.wait(100);
    CHECK(scene.letters() == "a");
    CHECK(scene.seen().ended);
    CHECK(scene.acknowledged() == 11);
    CHECK(scene.world.server.rx.available() == scene.world.rx_free.second);
  }
}

TEST_CASE("an app without room is asked again each turn, and the peer hears of it once") {
  FullScene s(fixed(10), 1);
  s.full[3] = true;
  s.scene.send(0, ten('a', 3));
  s.scene.wait(100);
  const size_t answers = s.scene.answers.size();
  for (int turn = 0; turn < 50; ++turn) s.scene.wait(1);
  CHECK(s.scene.answers.size() == answers);
  s.full[3] = false;
  s.scene.wait(100);
  CHECK(s.scene.letters() == "a");
  CHECK(s.scene.acknowledged() == 10);
}

TEST_CASE("retransmissions that are cut otherwise bring nothing twice") {
  const std::string bytes = ten('a', 3) + ten('b', 0) + ten('c', 3) + ten('d', 0) + ten('e', 3);
  const std::vector<std::pair<size_t, size_t>> cuts[] = {
      {{0, 50}}, {{0, 15}, {15, 35}}, {{0, 20}, {20, 30}}, {{5, 10}, {0, 5}, {12, 30}, {10, 40}}, {{0, 10}, {25, 25}, {20, 5}},
  };
  for (const auto& again : cuts) {
    for (const ListenerConfig& listener : {unordered(fixed(10)), unordered(segments())}) {
      Scene scene(listener);
      scene.send(10, bytes.substr(10, 10));
      scene.send(30, bytes.substr(30, 10));
      CHECK(scene.letters() == "bd");
      for (const auto& [place, length] : again) scene.send(place, bytes.substr(place, length));
      size_t early = 0, total = 0;
      for (const std::string& message : scene.seen().messages) {
        early += message[0] == 'b' || message[0] == 'd' ? 1 : 0;
        total += message.size();
      }
      CHECK(early == 2);
      CHECK(total == bytes.size());
      if (listener.framing == Framing::fixed) CHECK(scene.letters() == "bdace");
      CHECK(scene.acknowledged() == 50);
      scene.wait(100);
      CHECK(scene.world.nothing_leaked());
    }
  }
}

TEST_CASE("RFC 2018 8: what was handed over early is reported by SACK until it is acknowledged, and never taken back") {
  Scene scene(unordered(fixed(10)));
  scene.send(10, ten('b', 0));
  scene.send(20, ten('c', 3));
  scene.send(40, ten('e', 0));
  const TcpOptions& told = scene.answers.back().options;
  REQUIRE(told.sack_count == 2);
  CHECK(told.sack[0].first - scene.first == 40);
  CHECK(told.sack[0].end - scene.first == 50);
  CHECK(told.sack[1].first - scene.first == 10);
  CHECK(told.sack[1].end - scene.first == 30);
  scene.send(10, ten('b', 0));
  const TcpOptions& duplicate = scene.answers.back().options;
  REQUIRE(duplicate.sack_count == 3);  // RFC 2883 4
  CHECK(duplicate.sack[0].first - scene.first == 10);
  CHECK(duplicate.sack[0].end - scene.first == 20);
  scene.send(0, ten('a', 3));
  CHECK(scene.acknowledged() == 30);
  REQUIRE(scene.answers.back().options.sack_count == 1);
  CHECK(scene.answers.back().options.sack[0].first - scene.first == 40);
}

TEST_CASE("the window's edge stays where it was: bytes that were handed over early are received, not read from the window") {
  Scene scene(unordered(fixed(10)));
  scene.send(0, ten('a', 3));
  scene.wait(100);
  const Seq edge = scene.answers.back().ack + (uint32_t{scene.answers.back().window} << 0);
  for (int i = 2; i < 10; ++i) scene.send(static_cast<size_t>(i) * 10, ten('x', 0));
  for (const TcpSegment& answer : scene.answers) CHECK(seq_le(answer.ack + answer.window, edge));
  const Tcb& c = *scene.world.server.tcb(scene.handle);
  CHECK(c.rcv_nxt - scene.first == 10);
  CHECK(scene.busy()->out_of_order_count == 0);
  CHECK(scene.world.server.rx.available() == scene.world.rx_free.second);  // nothing is kept but the ranges
}

TEST_CASE("after eight ranges messages come in order, and continue a range all the same") {
  Scene scene(unordered(fixed(10)));
  for (uint32_t i = 0; i < 12; ++i) scene.send(10 + i * 20, ten(static_cast<char>('A' + i), 0));
  CHECK(scene.letters() == "ABCDEFGH");
  CHECK(scene.world.server.stack.engine().inspect_early(*scene.busy()).size() == 8);
  CHECK(scene.count(Counter::messages_early_limited) == 4);
  scene.send(20, ten('i', 0));  // between A and B: two ranges become one
  CHECK(scene.letters() == "ABCDEFGHi");
  CHECK(scene.world.server.stack.engine().inspect_early(*scene.busy()).size() == 7);
  std::string rest;
  for (uint32_t i = 0; i < 12; ++i) rest += (i == 0 ? ten('0', 3) : ten('-', 3)) + ten(static_cast<char>('A' + i), 0);
  scene.send(0, rest);
  CHECK(scene.letters() == "ABCDEFGHi0-------I-J-K-L");
  CHECK(scene.acknowledged() == rest.size());
  scene.wait(100);
  CHECK(scene.world.nothing_leaked());
}

TEST_CASE("when no record for ranges is left messages come in order, and it is counted") {
  HostOptions options = server_for_peer();
  options.stack.tcp.busy = 64;  // a quarter of them
  Scene scene(unordered(fixed(10)), 1, options);
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<Handle> handles;
  for (uint16_t i = 0; i < 20; ++i) {
    peers.push_back(std::make_unique<Peer>(scene.world, 7'000 + i));
    handles.push_back(peers.back()->open());
    peers.back()->send({.seq = peers.back()->seq + 10, .ack = peers.back()->ack, .payload = ten('b', 0)});
    peers.back()->take();
  }
  size_t early = 0;
  for (const Handle& handle : handles) early += scene.world.server.app.of(handle).messages.size();
  CHECK(early == 16);
  CHECK(scene.count(Counter::messages_early_limited) == 4);
  for (auto& peer : peers) peer->send({.seq = peer->seq, .ack = peer->ack, .payload = ten('a', 3)});
  for (const Handle& handle : handles) CHECK(scene.world.server.app.of(handle).messages.size() == 2);
  CHECK(scene.world.server.stack.engine().early_used() == 0);
}

TEST_CASE("past unread messages: what is of a higher level than all that the app has no room for is handed over") {
  for (const ListenerConfig& listener : {fixed(10), segments()}) {
    FullScene s(listener, 1);
    s.full[3] = true;
    const std::string bytes = ten('a', 3) + ten('b', 1) + ten('c', 3) + ten('d', 0) + ten('e', 1);
    if (listener.framing == Framing::fixed) {
      s.scene.send(0, bytes);
    } else {
      for (size_t at = 0; at < 50; at += 10) s.scene.send(at, bytes.substr(at, 10));
    }
    CHECK(s.scene.letters() == "bde");
    CHECK(s.scene.world.server.tcb(s.scene.handle)->rcv_nxt == s.scene.first);  // nothing of it is acknowledged
    s.full[3] = false;
    s.scene.wait(100);
    CHECK(s.scene.letters() == "bdeac");
    CHECK(s.scene.acknowledged() == 50);
    s.scene.wait(100);
    CHECK(s.scene.world.nothing_leaked());
  }
}

TEST_CASE("past unread messages a level keeps its order, although the app has room for it again") {
  FullScene s(fixed(10), 1);
  s.full[3] = s.full[1] = true;
  s.scene.send(0, ten('a', 3) + ten('b', 1) + ten('c', 1) + ten('d', 0));
  CHECK(s.scene.letters() == "d");
  s.full[1] = false;
  s.scene.wait(5);
  CHECK(s.scene.letters() == "dbc");
  s.full[3] = false;
  s.scene.wait(5);
  CHECK(s.scene.letters() == "dbca");
}

TEST_CASE("lengthPrefix: past unread messages those behind are found, one by one") {
  FullScene s(prefixed(kFramed), 0);
  s.full[2] = s.full[3] = true;
  const std::string a = framed(3, std::string(300, 'a')), b = framed(0, "b"), c = framed(2, "c"), d = framed(1, "d");
  const std::string bytes = a + b + c + d + b;
  for (size_t at = 0; at < bytes.size(); at += 7) s.scene.send(at, bytes.substr(at, 7));
  CHECK(s.scene.seen().messages == Texts{b, d, b});
  s.full[2] = s.full[3] = false;
  s.scene.wait(100);
  CHECK(s.scene.seen().messages == Texts{b, d, b, a, c});
  CHECK(s.scene.acknowledged() == bytes.size());
  s.scene.wait(100);
  CHECK(s.scene.world.nothing_leaked());
}

TEST_CASE("the end comes after every message, also those that were handed over early") {
  Scene scene(unordered(fixed(10)));
  scene.send(10, ten('b', 0), kAck | kFin);
  CHECK(scene.letters() == "b");
  CHECK(!scene.seen().ended);
  scene.send(0, ten('a', 3));
  CHECK(scene.letters() == "ba");
  CHECK(scene.seen().ended);
  CHECK(scene.acknowledged() == 21);
  scene.world.server.stack.close(scene.handle, scene.world.now);
  scene.wait(10);
  scene.peer.send({.seq = scene.first + 21, .ack = scene.peer.ack + 1});
  CHECK(scene.seen().reason == CloseReason::finished);
  CHECK(scene.world.nothing_leaked());
}

TEST_CASE("a close with unread messages resets, whatever was handed over past them, and nothing is left") {
  FullScene s(fixed(10), 1);
  s.full[3] = true;
  s.scene.send(0, ten('a', 3) + ten('b', 0) + ten('c', 3));
  CHECK(s.scene.letters() == "b");
  s.scene.world.server.stack.close(s.scene.handle, s.scene.world.now);
  s.scene.wait(10);
  CHECK((s.scene.answers.back().flags & kRst) != 0);
  CHECK(s.scene.seen().closed);
  CHECK(s.scene.world.server.stack.engine().early_used() == 0);
  CHECK(s.scene.world.nothing_leaked());
}

TEST_CASE("an app that closes from within a message that came early ends its connection, and nothing is left") {
  FullScene s(fixed(10), 1);
  s.full[3] = true;
  s.scene.world.server.app.on_message = [&](const Message& m, const std::string&) {
    s.scene.world.server.stack.close(m.handle, s.scene.world.now);
  };
  s.scene.send(0, ten('a', 3) + ten('b', 0) + ten('c', 3) + ten('d', 0));
  CHECK(s.scene.letters() == "b");
  CHECK(s.scene.seen().closed);
  CHECK(s.scene.world.server.stack.engine().early_used() == 0);
  CHECK(s.scene.world.nothing_leaked());
}

TEST_CASE("a reset while messages are out early leaves nothing behind") {
  Scene scene(unordered(fixed(10)));
  scene.world.server.app.keep = true;
  scene.send(10, ten('b', 0));
  scene.send(20, ten('c', 3));
  scene.peer.send({.flags = kRst, .seq = scene.first, .ack = 0});
  CHECK(scene.seen().closed);
  scene.world.server.app.release_kept(scene.handle);
  CHECK(scene.world.server.stack.engine().early_used() == 0);
  CHECK(scene.world.nothing_leaked());
}

/// A server to which `frames` came at once, segments with payload or SYNs, takes turns.
struct Flooded {
  Flooded(uint8_t levels, const PolicyConfig& policy, uint32_t frames, bool syns = false) : world({host_config(2)}, options(levels, policy)), peer(world) {
    world.listen();
    peer.open();
    for (uint32_t i = 0; i < frames; ++i) {
      if (syns) peer.port = static_cast<uint16_t>(6'000 + i);
      peer.put({.flags = static_cast<uint8_t>(syns ? kSyn : kAck), .seq = peer.seq + i, .ack = peer.ack, .payload = syns ? "" : "x"});
    }
  }
  static HostOptions options(uint8_t levels, const PolicyConfig& policy) {
    HostOptions options = server_for_peer();
    options.rx_packets = 32'768;
    options.stack.tcp.levels = levels;
    options.stack.policy = policy;
    return options;
  }
  uint64_t polled() { return world.server.stack.counters().get(Counter::rx_packets); }

  World world;
  Peer peer;
};

PolicyConfig strict(uint64_t bound_ms) { return {.bound = to_stamp(bound_ms * 1'000'000)}; }

TEST_CASE("a stack that gets a burst of data a turn is behind, for half the starvation bound; by shares, with SYNs or one level never") {
  const auto behind = [](uint8_t levels, const PolicyConfig& policy, bool syns) {
    Flooded flooded(levels, policy, 2'000, syns);
    std::string turns;
    for (int i = 0; i < 9; ++i) {
      flooded.peer.turn(1'000'000);
      turns += flooded.world.server.stack.behind() ? 'b' : '-';
    }
    return turns;
  };
  PolicyConfig weighted{.kind = PolicyKind::weighted};
  weighted.weights.fill(1);
  CHECK(behind(2, strict(0), false) == "bbbbbbbb-");
  CHECK(behind(2, strict(6), false) == "bbb-bbb--");
  CHECK(behind(2, weighted, false) == "---------");
  CHECK(behind(1, strict(20), false) == "---------");
  CHECK(behind(2, strict(20), true) == "---------");
}

TEST_CASE("while it is behind a turn polls more the shorter the last one was, four to sixteen bursts") {
  const auto polls = [](Nanos step) {
    Flooded flooded(2, strict(20), 6'000);
    std::vector<uint64_t> each;
    for (int i = 0; i < 5; ++i) {
      const uint64_t before = flooded.polled();
      flooded.peer.turn(step);
      each.push_back(flooded.polled() - before);
    }
    return each;
  };
  CHECK(polls(1'000'000) == std::vector<uint64_t>{256, 256, 256, 256, 256});
  CHECK(polls(400'000) == std::vector<uint64_t>{256, 320, 384, 448, 512});
  CHECK(polls(100'000) == std::vector<uint64_t>{256, 1'024, 1'024, 1'024, 1'024});
}

TEST_CASE("our own reordering is no duplicate ACK, and no hole to tell of") {
  for (const uint32_t delayed_ack_ms : {40u, 0u}) {
    HostOptions options = server_for_peer();
    options.rx_packets = 8'192;  // a quarter of them may wait for TCP
    options.stack.tcp.delayed_ack_ms = delayed_ack_ms;
    Scene scene(unordered(fixed(10)), 1, options);
    // More than three turns poll: low ones wait until all are judged, so the high ones at the end come to TCP first.
    const uint32_t kLow = 900;
    for (uint32_t i = 0; i < kLow; ++i) scene.peer.put({.seq = scene.first + i * 10, .ack = scene.peer.ack, .payload = ten('l', 3)});
    for (uint32_t i = 0; i < 5; ++i) {
      scene.peer.put({.seq = scene.first + (kLow + i) * 10, .ack = scene.peer.ack, .payload = ten('h', 0)});
    }
    for (int i = 0; i < 10; ++i) scene.peer.turn();
    CHECK(scene.letters().substr(0, 5) == "hhhhh");
    Seq last = scene.first;
    for (const Incoming& in : scene.peer.take()) {
      CHECK(seq_gt(in.segment.ack, last));
      CHECK(in.segment.options.sack_count == 0);
      scene.answers.push_back(in.segment);
      last = in.segment.ack;
    }
    CHECK(scene.seen().messages.size() == kLow + 5);
    scene.wait(100);
    CHECK(scene.acknowledged() == (kLow + 5) * 10);
  }
}

TEST_CASE("a loss that our own queue was thought to hide is told of after a while") {
  Scene scene(unordered(fixed(10)));
  scene.peer.put({.seq = scene.first, .ack = scene.peer.ack, .payload = ten('a', 3)});
  scene.peer.put({.seq = scene.first + 20, .ack = scene.peer.ack, .payload = ten('c', 0)});  // b is lost
  scene.peer.turn();
  CHECK(scene.letters() == "ca");
  scene.wait(60);
  REQUIRE(scene.answers.back().options.sack_count == 1);
  CHECK(scene.answers.back().options.sack[0].first - scene.first == 20);
}

TEST_CASE("random messages in random segments, again and again, in any order: each comes once, with its level") {
  const auto seed = static_cast<uint32_t>(std::random_device{}());
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  for (int round = 0; round < 60; ++round) {
    const bool by_length = round % 2 == 0;
    ListenerConfig listener = by_length ? prefixed(kFramed) : fixed(20);
    listener.unordered = below(3) != 0;
    FullScene s(listener, 0);
    Scene& scene = s.scene;
    std::string bytes;
    Texts sent;
    for (uint32_t i = 0; i < 80; ++i) {
      const auto level = static_cast<uint8_t>(below(4));
      std::string text(by_length ? 4 + below(below(8) == 0 ? 900 : 30) : 17, static_cast<char>(i));
      store_be32(reinterpret_cast<uint8_t*>(text.data()), i);
      sent.push_back(framed(level, text));
      bytes += sent.back();
    }
    for (uint32_t turn = 0; turn < 4'000; ++turn) {
      const Tcb* const c = scene.world.server.tcb(scene.handle);
      const uint32_t done = c->rcv_nxt - scene.first;
      if (done == bytes.size()) break;
      for (bool& full : s.full) full = below(12) == 0;
      const uint32_t place = std::min<uint32_t>(done + below(below(3) == 0 ? 1 : 2'000), static_cast<uint32_t>(bytes.size()) - 1);
      scene.send(place, bytes.substr(place, 1 + below(below(2) == 0 ? 40 : 1'400)));
    }
    std::fill(std::begin(s.full), std::end(s.full), false);
    scene.wait(5);
    REQUIRE(scene.world.server.tcb(scene.handle)->rcv_nxt - scene.first == bytes.size());
    Texts got = scene.seen().messages;
    uint32_t next[4] = {};
    for (size_t i = 0; i < got.size(); ++i) {
      CHECK(scene.seen().levels[i] == static_cast<uint8_t>(got[i][0]));
      if (listener.unordered) continue;
      const uint32_t number = load_be32(reinterpret_cast<const uint8_t*>(got[i].data()) + 3);
      uint32_t& least = next[static_cast<uint8_t>(got[i][0])];
      CHECK(number >= least);  // a level keeps its order
      least = number + 1;
    }
    std::sort(got.begin(), got.end());
    std::sort(sent.begin(), sent.end());
    CHECK(got == sent);
    scene.wait(100);
    CHECK(scene.world.server.stack.engine().early_used() == 0);
    CHECK(scene.world.server.stack.engine().busy_used() == 0);
    CHECK(scene.world.nothing_leaked());
  }
}
