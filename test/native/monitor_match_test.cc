// The monitor's matcher: which response belongs to which request, what comes again, which level a message has.
#include <doctest/doctest.h>

#include "test/native/monitor_frames.hh"

namespace qstack::monitor::testing {
namespace {

constexpr Nanos kMs = 1'000'000;

std::string iot_request(uint32_t number, uint8_t high = 1) {
  std::string bytes(200, '\0');
  for (int i = 0; i < 4; ++i) bytes[static_cast<size_t>(i)] = static_cast<char>(number >> (8 * i));
  bytes[5] = static_cast<char>(high);
  bytes[6] = 2;
  return bytes;
}

std::string iot_reply(uint32_t number) {
  std::string text = std::string("HTTP/1") + '\x03' + "1 200 OK";
  text.resize(126, ' ');
  char digits[9];
  std::snprintf(digits, sizeof(digits), "%08x", number);
  text += digits;
  text.resize(146, '\0');
  return text;
}

}  // namespace

TEST_CASE("a segment is read with both families and up to two VLAN tags, and its payload is found") {
  for (const bool ipv6 : {false, true}) {
    for (int tags = 0; tags <= 2; ++tags) {
      FrameSpec spec{true, 7, 9, "hello"};
      spec.ipv6 = ipv6;
      spec.tags = tags;
      std::vector<uint8_t> frame = frame_of(spec);
      const auto length = static_cast<uint32_t>(frame.size() + 6);
      frame.resize(frame.size() + 6, 0xee);  // padding of a short frame
      Segment segment;
      REQUIRE(read_segment(frame, length, segment) == Reading::segment);
      CHECK(segment.seq == 7);
      CHECK(segment.ack == 9);
      CHECK(segment.payload_length == 5);
      CHECK(std::string(frame.begin() + segment.payload, frame.begin() + segment.captured) == "hello");
      CHECK(segment.source == (ipv6 ? kMonClient6 : IpAddress(kMonClient)));
    }
  }
}

TEST_CASE("a snapshot says how long the payload was on the wire") {
  const std::vector<uint8_t> frame = frame_of({true, 1, 0, std::string(1000, 'x')});
  Segment segment;
  REQUIRE(read_segment({frame.data(), 118}, static_cast<uint32_t>(frame.size()), segment) == Reading::segment);
  CHECK(segment.payload_length == 1000);
  CHECK(segment.captured - segment.payload == 64);
}

TEST_CASE("random bytes and cut frames never reach beyond their end, and name no payload that is not there") {
  uint32_t seed = 4711;
  const auto random = [&] { return seed = seed * 1664525 + 1013904223, seed >> 8; };
  MatchConfig config;
  config.framing = Framing::length_prefix;
  config.iot = true;
  config.labels = {true, 6, {0, 2}, {1, 3}};
  config.level = {.by = LevelBy::byte, .offset = 5, .levels = 2};
  config.connections = 64;
  config.outstanding = 64;
  Bench bench(config);
  for (int i = 0; i < 60'000; ++i) {
    FrameSpec spec{(random() & 1) != 0, random(), random(), std::string(random() % 300, static_cast<char>(random()))};
    spec.flags = static_cast<uint8_t>(random() % 3 == 0 ? random() : kAck);
    spec.client_port = static_cast<uint16_t>(1'000 + random() % 200);
    spec.ipv6 = random() % 2 == 0;
    spec.tags = static_cast<int>(random() % 3);
    const std::vector<uint8_t> whole = frame_of(spec);
    std::vector<uint8_t> frame(whole.begin(), whole.begin() + static_cast<long>(random() % (whole.size() + 1)));
    for (uint32_t n = random() % 4; n > 0 && !frame.empty(); --n) frame[random() % frame.size()] = static_cast<uint8_t>(random());
    frame.shrink_to_fit();  // asan sees one byte too many
    Segment segment;
    const auto length = static_cast<uint32_t>(random() % 2 == 0 ? whole.size() : frame.size());
    if (read_segment(frame, length, segment) != Reading::segment) continue;
    REQUIRE(segment.payload <= segment.captured);
    REQUIRE(segment.captured <= frame.size());
    segment.time = static_cast<Nanos>(i) * 1'000;
    const uint8_t way = way_of(segment, config.ports);
    if (way == kNoWay) continue;
    const std::vector<uint8_t> snapshot(frame.begin(), frame.begin() + segment.captured);
    bench.matcher.take(segment, Way{way}, hash_flow_name(flow_of(segment, Way{way}), {1, 2}), snapshot);
  }
  CHECK(bench.matcher.connections() <= 64);
  bench.matcher.give_up();
  const Tick tick = bench.finish();
  CHECK(count_of(tick, Count::segments) > 1'000);
  CHECK(bench.matcher.connections() == 0);
}

TEST_CASE("a response is matched by the bytes that it acknowledges, with several requests under way") {
  Bench bench;
  bench.request(1 * kMs, 100, "aaaa");
  bench.request(2 * kMs, 104, "bbbb");
  bench.response(5 * kMs, 900, 104, "A");  // acknowledges the first only
  bench.response(9 * kMs, 901, 108, "B");
  bench.response(9 * kMs, 902, 108, "C");  // nothing is left
  const Tick tick = bench.finish();
  CHECK(tick.levels[0].responses == 2);
  CHECK(tick.levels[0].sum_ns == 11 * kMs);
  CHECK(tick.levels[0].least_ns == 4 * kMs);
  CHECK(tick.levels[0].most_ns == 7 * kMs);
  CHECK(count_of(tick, Count::unmatched) == 1);
  CHECK(count_of(tick, Count::connections) == 1);
}

TEST_CASE("the generator's counter finds the request whatever the order of the replies") {
  MatchConfig config;
  config.iot = true;
  config.level = {.by = LevelBy::byte, .offset = 5, .levels = 2};
  Bench bench(config);
  bench.request(0, 0, iot_request(1, 0));
  bench.request(0, 200, iot_request(2, 1));
  bench.response(1 * kMs, 0, 0, iot_reply(2));  // overtakes, before the bytes of the first are acknowledged
  bench.response(8 * kMs, 146, 400, iot_reply(1));
  const Tick tick = bench.finish();
  CHECK(tick.levels[0].most_ns == 1 * kMs);
  CHECK(tick.levels[1].most_ns == 8 * kMs);
  CHECK(count_of(tick, Count::unmatched) == 0);
}

TEST_CASE("what is sent again is counted and measured from the first time, also over the end of the sequence space") {
  Bench bench;
  const Seq seq = 0xfffffffe;
  bench.request(1 * kMs, seq, "abcd");  // ends at 2
  bench.request(3 * kMs, seq, "abcd");
  bench.response(6 * kMs, seq, 2, "ok!!");
  bench.response(7 * kMs, seq, 2, "ok!!");
  bench.request(8 * kMs, 2, "next");
  const Tick tick = bench.finish();
  CHECK(count_of(tick, Count::requests) == 2);
  CHECK(count_of(tick, Count::request_retransmissions) == 1);
  CHECK(count_of(tick, Count::response_retransmissions) == 1);
  CHECK(tick.levels[0].most_ns == 5 * kMs);
}

TEST_CASE("what fills a hole is late and a request of its own; bytes of before and new ones are both") {
  Bench bench;
  bench.request(1 * kMs, 100, "aaaa");
  bench.request(2 * kMs, 108, "cccc");
  bench.request(3 * kMs, 104, "bbbb");  // into the hole
  bench.request(4 * kMs, 104, "bbbb");  // again
  bench.request(5 * kMs, 108, "ccccdddd");  // again, and more
  const Tick tick = bench.finish();
  CHECK(count_of(tick, Count::request_late) == 1);
  CHECK(count_of(tick, Count::request_retransmissions) == 2);
  CHECK(count_of(tick, Count::requests) == 4);
}

TEST_CASE("a message goes on where a segment had no PSH, and is answered once all of it is") {
  Bench bench;
  bench.pass(1 * kMs, {true, 0, 0, "begin ", kAck});
  bench.pass(2 * kMs, {true, 6, 0, "end"});
  bench.pass(4 * kMs, {false, 0, 9, "rep", kAck});
  bench.pass(5 * kMs, {false, 3, 9, "ly"});
  const Tick tick = bench.finish();
  CHECK(count_of(tick, Count::requests) == 1);
  CHECK(tick.levels[0].responses == 1);
  CHECK(tick.levels[0].most_ns == 3 * kMs);
  CHECK(count_of(tick, Count::unmatched) == 0);
}

TEST_CASE("labels tell what is a request and what is a response, the rest is passed over") {
  MatchConfig config;
  config.labels = {true, 2, {0, 2}, {1, 3}};
  Bench bench(config);
  bench.request(0, 0, std::string("xx\x02", 3));
  bench.request(0, 3, std::string("xx\x07", 3));
  bench.response(2 * kMs, 0, 6, std::string("xx\x05", 3));
  bench.response(3 * kMs, 3, 6, std::string("xx\x03", 3));
  bench.request(4 * kMs, 6, "x");  // too short for a label
  const Tick tick = bench.finish();
  CHECK(count_of(tick, Count::requests) == 1);
  CHECK(count_of(tick, Count::unlabelled) == 3);
  CHECK(tick.levels[0].most_ns == 3 * kMs);
}

TEST_CASE("messages of one length and with a length in front are found inside of segments") {
  MatchConfig config;
  config.framing = Framing::fixed;
  config.fixed_length = 4;
  Bench fixed(config);
  fixed.request(0, 10, "aaaabbbbcc");
  fixed.request(0, 20, "ccdddd");
  fixed.request(0, 34, "ffff");  // a hole of two messages' bytes
  fixed.request(0, 26, "eeeeffff");
  CHECK(count_of(fixed.finish(), Count::requests) == 7);

  config.framing = Framing::length_prefix;
  config.prefix = {.offset = 0, .width = 1, .little_endian = false, .adjust = 1, .maximum = 64};
  Bench prefixed(config);
  prefixed.request(1 * kMs, 0, "\x03" "abc" "\x01" "x" "\x04" "a");
  prefixed.request(2 * kMs, 8, "bcd" "\x01" "y");
  prefixed.response(9 * kMs, 0, 4, "\x01" "1");  // acknowledges the first alone
  const Tick tick = prefixed.finish();
  CHECK(count_of(tick, Count::requests) == 4);
  CHECK(tick.levels[0].most_ns == 8 * kMs);
}

TEST_CASE("HTTP is recognised by its first words, HTTPS by records of application data, and levelled by length") {
  MatchConfig config;
  config.framing = Framing::http;
  Bench http(config);
  http.request(0, 0, "GET / HTTP/1.1\r\n\r\n");
  http.request(0, 18, "not a method");
  http.response(2 * kMs, 0, 18, "HTTP/1.1 200 OK\r\n\r\n");
  http.response(3 * kMs, 19, 18, "the body");
  const Tick plain = http.finish();
  CHECK(count_of(plain, Count::requests) == 1);
  CHECK(count_of(plain, Count::responses) == 1);
  CHECK(plain.levels[0].most_ns == 2 * kMs);

  config.framing = Framing::https;
  config.level = {.by = LevelBy::length, .length = 8, .levels = 2};
  Bench https(config);
  https.request(0, 0, "\x16 handshake");
  https.request(1 * kMs, 11, std::string("\x17") + std::string(20, 'x'));
  https.request(1 * kMs, 32, "\x17 short");
  const Tick sealed = https.finish();
  CHECK(sealed.levels[0].requests == 1);
  CHECK(sealed.levels[1].requests == 1);
}

TEST_CASE("a SYN begins a new connection on old ports; RST and idleness end one; what waited is unanswered") {
  MatchConfig config;
  config.idle = 10 * kMs;
  Bench bench(config);
  bench.request(0, 100, "a");
  bench.pass(1 * kMs, {true, 5'000, 0, "", kSyn});
  bench.request(2 * kMs, 5'001, "b");
  bench.pass(3 * kMs, {true, 5'002, 0, "", kRst});
  CHECK(bench.matcher.connections() == 0);
  bench.request(4 * kMs, 1, "c");
  FrameSpec other{true, 1, 0, "d"};
  other.client_port = 2;
  bench.pass(20 * kMs, other);
  CHECK(bench.matcher.connections() == 1);
  const Tick tick = bench.finish();
  CHECK(tick.followed == 1);
  CHECK(count_of(tick, Count::unanswered) == 3);
  CHECK(tick.levels[0].unanswered == 3);
  CHECK(count_of(tick, Count::expired) == 1);
}

TEST_CASE("a full table lets the connection go that was silent the longest, and each has a bounded number of requests") {
  MatchConfig config;
  config.connections = 2;
  config.outstanding = 100;
  Bench bench(config);
  for (uint16_t port = 1; port <= 3; ++port) {
    FrameSpec spec{true, 1, 0, "x"};
    spec.client_port = port;
    bench.pass(port, spec);
  }
  CHECK(bench.matcher.connections() == 2);
  CHECK(count_of(bench.finish(), Count::evicted) == 1);
  for (uint32_t i = 0; i < 200; ++i) bench.request(100 + i, 1 + i, "x");
  const Tick tick = bench.finish();
  CHECK(count_of(tick, Count::unanswered) == 200 - 64 + 1);
  CHECK(count_of(tick, Count::outstanding_full) == 0);
}

TEST_CASE("a flood of SYNs takes no room from connections") {
  MatchConfig config;
  config.connections = 4;
  Bench bench(config);
  bench.request(1, 1, "x");
  for (uint16_t port = 1; port <= 1'000; ++port) {
    FrameSpec spec{true, port, 0, "", kSyn};
    spec.client_port = port;
    bench.pass(2, spec);
  }
  bench.response(1 * kMs, 1, 2, "y");
  const Tick tick = bench.finish();
  CHECK(tick.levels[0].responses == 1);
  CHECK(count_of(tick, Count::evicted) == 0);
}

TEST_CASE("rules of the classifier give levels, also where the frame was cut") {
  // payload[0] == 'h' -> level 0, else 1: header, one rule, one condition (rule_table.hh).
  std::vector<uint8_t> table = {'Q', 'S', 'C', 'L', 2, 2, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0};
  const std::vector<uint8_t> condition = {3, 1, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 'h', 0, 0, 0, 0, 0, 0, 0};
  table.insert(table.end(), condition.begin(), condition.end());
  auto loaded = Classifier::load(table);
  REQUIRE(std::holds_alternative<Classifier>(loaded));
  MatchConfig config;
  config.rules = std::get<Classifier>(std::move(loaded));
  config.level = {.by = LevelBy::rules, .levels = 2};
  Bench bench(config);
  bench.request(0, 0, "high");
  bench.request(0, 4, "low");
  const Tick tick = bench.finish();
  CHECK(tick.levels[0].requests == 1);
  CHECK(tick.levels[1].requests == 1);
}

TEST_CASE("a response that took too long brings the frames of its connection, and of no other") {
  MatchConfig config;
  config.tail_over = 5 * kMs;
  config.tail_frames = 8;
  Bench bench(config);
  FrameSpec other{true, 1, 0, "other"};
  other.client_port = 9;
  bench.request(1 * kMs, 0, "slow");
  bench.pass(2 * kMs, other);
  bench.response(9 * kMs, 0, 4, "done");
  const Tick tick = bench.finish();
  REQUIRE(tick.tails.size() == 1);
  CHECK(tick.tails[0].latency == 8 * kMs);
  CHECK(tick.tails[0].client == IpAddress(kMonClient));
  REQUIRE(tick.tails[0].frames.size() == 2);
  CHECK(tick.tails[0].frames[1].bytes == frame_of({false, 0, 4, "done"}));
}

}  // namespace qstack::monitor::testing
