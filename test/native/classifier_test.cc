// The classifier against a naive reference that knows neither its table nor its code, on random rules and frames that
// lie in exactly as many bytes as they have (the address sanitizer sees any read beyond). QSTACK_SEED replays a run.
#include "native/classify/classifier.hh"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>

#include "native/classify/locate.hh"
#include "native/wire/bytes.hh"

using namespace qstack;
using namespace qstack::rule_table;

namespace {

enum class Compare { is, is_not, in, over, under, one_of, not_one_of };

struct TestCondition {
  Base base;
  uint32_t offset;
  uint8_t width;
  bool little_endian = false;
  uint32_t mask;
  Compare compare;
  std::vector<uint32_t> values;  ///< of a network: four words of its address, then four of its mask
  std::string filter = {};
};

struct TestRule {
  uint8_t level;
  std::vector<TestCondition> conditions;
};

struct TestTable {
  uint8_t levels = 2;
  uint8_t otherwise = 1;
  std::vector<TestRule> rules;
  std::optional<uint16_t> payload_at;
};

uint32_t full_mask(uint8_t width) { return width == 4 ? ~0u : (1u << (8 * width)) - 1; }

// --- the table's bytes ---

void put(std::vector<uint8_t>& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void put_filter(std::vector<uint8_t>& out, std::string& text, const TestCondition& c) {
  for (uint64_t byte : {uint64_t{9}, uint64_t{0}, uint64_t{c.compare == Compare::is_not} * kNot, uint64_t{0}})
    put(out, byte, 1);
  put(out, 0, 8);
  put(out, text.size(), 4);
  put(out, c.filter.size(), 4);
  text += c.filter;
}

void put_network(std::vector<uint8_t>& out, std::vector<uint32_t>& lists, const TestCondition& c) {
  put(out, static_cast<uint8_t>(c.base), 1);
  put(out, kNetworkWidth, 1);
  put(out, c.compare == Compare::is_not ? kNot : 0, 1);
  put(out, 0, 1);
  put(out, c.offset, 4);
  put(out, 0, 4);
  put(out, lists.size(), 4);
  put(out, 0, 4);
  lists.insert(lists.end(), c.values.begin(), c.values.end());
}

void put_condition(std::vector<uint8_t>& out, std::vector<uint32_t>& lists, std::string& text, const TestCondition& c) {
  if (c.base == Base::filter) return put_filter(out, text, c);
  if (c.width == kNetworkWidth) return put_network(out, lists, c);
  const bool list = c.compare == Compare::one_of || c.compare == Compare::not_one_of;
  const bool negated = c.compare == Compare::is_not || c.compare == Compare::not_one_of;
  uint32_t low = c.values[0], span = 0;
  if (c.compare == Compare::in) span = c.values[1] - low;
  if (c.compare == Compare::over) low = c.values[0] + 1, span = ~0u - low;
  if (c.compare == Compare::under) low = 0, span = c.values[0] - 1;
  if (list) low = static_cast<uint32_t>(lists.size());
  put(out, static_cast<uint8_t>(c.base), 1);
  put(out, c.width, 1);
  put(out, (c.little_endian ? kLittleEndian : 0) | (negated ? kNot : 0) | (list ? kList : 0), 1);
  put(out, list ? c.values.size() : 0, 1);
  put(out, c.offset, 2);
  put(out, 0, 2);
  put(out, c.mask, 4);
  put(out, low, 4);
  put(out, span, 4);
  if (list) lists.insert(lists.end(), c.values.begin(), c.values.end());
}

std::vector<uint8_t> write_table(const TestTable& table) {
  std::vector<uint8_t> out, rules, conditions;
  std::vector<uint32_t> lists;
  std::string text;
  uint32_t count = 0;
  for (const TestRule& rule : table.rules) {
    put(rules, rule.level, 1);
    put(rules, rule.conditions.size(), 1);
    put(rules, 0, 2);
    for (const TestCondition& c : rule.conditions) put_condition(conditions, lists, text, c);
    count += static_cast<uint32_t>(rule.conditions.size());
  }
  put(out, kMagic, 4);
  put(out, kVersion, 1);
  put(out, table.levels, 1);
  put(out, table.otherwise, 1);
  put(out, table.payload_at ? kPayloadAt : 0, 1);
  put(out, table.rules.size(), 2);
  put(out, count, 2);
  put(out, lists.size(), 2);
  put(out, table.payload_at.value_or(0), 2);
  put(out, text.size(), 4);
  out.insert(out.end(), rules.begin(), rules.end());
  out.insert(out.end(), conditions.begin(), conditions.end());
  for (uint32_t value : lists) put(out, value, 4);
  out.insert(out.end(), text.begin(), text.end());
  return out;
}

Classifier loaded(const TestTable& table) {
  auto result = Classifier::load(write_table(table));
  if (auto* fault = std::get_if<std::string>(&result)) FAIL(*fault);
  return std::get<Classifier>(std::move(result));
}

std::string fault_of(const std::vector<uint8_t>& bytes) {
  auto result = Classifier::load(bytes);
  return std::holds_alternative<std::string>(result) ? std::get<std::string>(result) : std::string();
}

// --- the reference ---

/// Values that no header has as they are: of the tag that was taken off, and of the code point of either version.
std::optional<std::vector<uint8_t>> naive_bytes(Base base, const Packet& packet) {
  const uint8_t* const ip = packet.data + packet.l3;
  const bool four = packet.l3 + 1 < packet.length && ip[0] / 16 == 4, six = packet.l3 + 1 < packet.length && ip[0] / 16 == 6;
  if (base == Base::length) return {{0, 0, static_cast<uint8_t>(packet.length >> 8), static_cast<uint8_t>(packet.length)}};
  if (base == Base::vlan && packet.tag == 0) return std::vector<uint8_t>();
  if (base == Base::vlan)
    return {{static_cast<uint8_t>(packet.tag >> 24), static_cast<uint8_t>(packet.tag >> 16),
             static_cast<uint8_t>(packet.tag >> 8), static_cast<uint8_t>(packet.tag)}};
  if (base == Base::dscp && four) return {{static_cast<uint8_t>(ip[1] / 4 * 4)}};
  if (base == Base::dscp && six) return {{static_cast<uint8_t>((ip[0] % 16 * 16 + ip[1] / 16) / 4 * 4)}};
  if (base == Base::dscp || (base == Base::ipv4 && !four) || (base == Base::ipv6 && !six)) return std::vector<uint8_t>();
  return std::nullopt;
}

std::optional<uint32_t> naive_value(const TestCondition& c, const Packet& packet, std::optional<uint16_t> payload_at,
                                    const std::vector<uint8_t>* message) {
  if (const auto own = naive_bytes(c.base, packet)) {
    TestCondition bytes = c;
    bytes.base = Base::payload;
    return naive_value(bytes, packet, payload_at, &*own);
  }
  const bool ip = c.base == Base::ip || c.base == Base::ipv4 || c.base == Base::ipv6;
  uint64_t start = c.base == Base::frame ? 0 : ip ? packet.l3 : c.base == Base::tcp ? packet.l4 : 0;
  uint64_t end = packet.length;
  const uint8_t* bytes = packet.data;
  if (c.base == Base::payload && message != nullptr) {
    bytes = message->data();
    end = message->size();
  } else if (c.base == Base::payload) {
    start = payload_at ? uint64_t{packet.l4} + *payload_at : packet.payload;
    end = std::min<uint64_t>(end, uint64_t{packet.payload} + packet.payload_length);
  }
  uint64_t value = 0;
  for (uint64_t i = 0; i < c.width; ++i) {
    const uint64_t at = start + c.offset + i;
    if (at >= end) return std::nullopt;
    value |= uint64_t{bytes[at]} << (8 * (c.little_endian ? i : c.width - 1 - i));
  }
  return static_cast<uint32_t>(value) & c.mask;
}

/// Bit by bit.
bool naive_network(const TestCondition& c, const Packet& packet, std::optional<uint16_t> payload_at,
                   const std::vector<uint8_t>* message) {
  bool inside = true;
  for (uint32_t bit = 0; bit < 128; ++bit) {
    TestCondition byte{c.base, c.offset + bit / 8, 1, false, 0x80u >> (bit % 8), Compare::is, {}};
    const auto value = naive_value(byte, packet, payload_at, message);
    if (!value) return false;
    const uint32_t place = 0x8000'0000u >> (bit % 32);
    if ((c.values[4 + bit / 32] & place) != 0) inside = inside && (*value != 0) == ((c.values[bit / 32] & place) != 0);
  }
  return inside != (c.compare == Compare::is_not);
}

bool naive_holds(const TestCondition& c, std::optional<uint32_t> value) {
  if (!value) return false;
  bool listed = false;
  for (uint32_t one : c.values) listed |= *value == one;
  switch (c.compare) {
    case Compare::is:
    case Compare::one_of:
      return listed;
    case Compare::is_not:
    case Compare::not_one_of:
      return !listed;
    case Compare::in:
      return *value >= c.values[0] && *value <= c.values[1];
    case Compare::over:
      return *value > c.values[0];
    case Compare::under:
      return *value < c.values[0];
  }
  return false;
}

uint8_t naive_level(const TestTable& table, const Packet& packet, const std::vector<uint8_t>* message = nullptr) {
  if (message == nullptr && packet.l4 == 0) return 0;
  for (const TestRule& rule : table.rules) {
    bool all = true;
    for (const TestCondition& c : rule.conditions)
      all = all && (c.width == kNetworkWidth ? naive_network(c, packet, table.payload_at, message)
                                             : naive_holds(c, naive_value(c, packet, table.payload_at, message)));
    if (all) return rule.level;
  }
  return table.otherwise;
}

// --- random rules and frames ---

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(engine_() % n); }
  bool one_in(uint32_t n) { return below(n) == 0; }
  uint32_t word() { return static_cast<uint32_t>(engine_()); }

 private:
  std::mt19937_64 engine_;
};

/// Small values are frequent, so that rules and frames meet.
uint32_t random_value(Random& random, uint32_t mask) {
  return (random.one_in(3) ? random.word() : random.below(4)) & mask;
}

TestCondition random_network(Random& random, TestCondition c) {
  c.width = kNetworkWidth;
  c.offset = random.one_in(3) ? random.below(60) : 8 + 16 * random.below(2);
  c.compare = random.one_in(3) ? Compare::is_not : Compare::is;
  const uint32_t bits = random.one_in(4) ? random.below(129) : random.below(24);
  c.values = {0xfd00'0000u | random.below(4), random.below(4), 0, random.below(4), 0, 0, 0, 0};
  for (uint32_t bit = 0; bit < bits; ++bit) c.values[4 + bit / 32] |= 0x8000'0000u >> (bit % 32);
  return c;
}

TestCondition random_condition(Random& random) {
  TestCondition c;
  c.base = static_cast<Base>(random.below(static_cast<uint32_t>(Base::filter)));
  if (random.one_in(6)) return random_network(random, c);
  c.width = static_cast<uint8_t>(1u << random.below(3));
  const bool short_base = c.base == Base::length || c.base == Base::vlan || c.base == Base::dscp;
  c.offset = short_base ? random.below(3) : random.one_in(8) ? random.below(300) : random.below(24);
  c.little_endian = random.one_in(4);
  c.mask = random.one_in(3) ? random.word() & full_mask(c.width) : full_mask(c.width);
  c.compare = static_cast<Compare>(random.below(7));
  const uint32_t first = random_value(random, full_mask(c.width));
  c.values = {first};
  if (c.compare == Compare::in) c.values.push_back(std::max(first, random_value(random, full_mask(c.width))));
  if (c.compare == Compare::over) c.values[0] = std::min(first, ~0u - 1);
  if (c.compare == Compare::under) c.values[0] = std::max(first, 1u);
  if (c.compare == Compare::one_of || c.compare == Compare::not_one_of) {
    for (uint32_t n = random.below(16); n > 0; --n) c.values.push_back(random_value(random, full_mask(c.width)));
  }
  return c;
}

/// Many rules in a row that begin with the same field, as tables of message kinds have them.
void add_neighbours(Random& random, TestTable& table) {
  const TestCondition field = random_condition(random);
  for (uint32_t n = 2 + random.below(random.one_in(4) ? 80 : 12); n > 0; --n) {
    TestRule rule{static_cast<uint8_t>(random.below(table.levels)), {random_condition(random)}};
    TestCondition& first = rule.conditions[0];
    if (first.width == kNetworkWidth || field.width == kNetworkWidth) continue;
    first.base = field.base;
    first.offset = field.offset;
    first.width = field.width;
    first.mask = field.mask;
    first.little_endian = field.little_endian && random.one_in(2);
    if (random.one_in(3)) rule.conditions.push_back(random_condition(random));
    table.rules.push_back(rule);
  }
}

/// Many rules in a row that begin with a field each, in one header or in several, many of them beyond short frames.
void add_fields(Random& random, TestTable& table) {
  constexpr Base kHeaders[] = {Base::frame, Base::ip, Base::tcp, Base::payload};
  const uint32_t headers = random.one_in(2) ? 4 : 1, header = random.below(4);
  for (uint32_t n = 2 + random.below(random.one_in(4) ? 80 : 12); n > 0; --n) {
    TestRule rule{static_cast<uint8_t>(random.below(table.levels)), {random_condition(random)}};
    TestCondition& first = rule.conditions[0];
    if (first.width == kNetworkWidth) continue;
    first.base = kHeaders[(header + random.below(headers)) % 4];
    first.offset = random.below(random.one_in(3) ? 80 : 20);
    first.little_endian = false;
    if (first.compare >= Compare::one_of) first = {first.base, first.offset, 1, false, 0xff, Compare::is, {random.below(4)}};
    for (uint32_t more = random.below(3); more > 0; --more) rule.conditions.push_back(random_condition(random));
    table.rules.push_back(rule);
  }
}

TestTable random_table(Random& random) {
  TestTable table;
  table.levels = static_cast<uint8_t>(1 + random.below(8));
  table.otherwise = static_cast<uint8_t>(random.below(table.levels));
  if (random.one_in(4)) table.payload_at = static_cast<uint16_t>(random.below(60));
  if (random.one_in(3)) add_fields(random, table);
  for (uint32_t n = random.below(20); n > 0; --n) {
    TestRule rule{static_cast<uint8_t>(random.below(table.levels)), {}};
    for (uint32_t k = random.one_in(20) ? 0 : 1 + random.below(3); k > 0; --k)
      rule.conditions.push_back(random_condition(random));
    table.rules.push_back(rule);
  }
  if (random.one_in(3)) add_neighbours(random, table);
  return table;
}

/// A frame in exactly `length` heap bytes.
struct Frame {
  Packet packet{};
  std::unique_ptr<uint8_t[]> bytes;

  explicit Frame(const std::vector<uint8_t>& content) : bytes(new uint8_t[content.size()]) {
    std::copy(content.begin(), content.end(), bytes.get());
    packet.data = bytes.get();
    packet.length = static_cast<uint16_t>(content.size());
  }
};

std::vector<uint8_t> tcp_frame(uint32_t ip_options, uint32_t tcp_options, const std::vector<uint8_t>& payload) {
  const uint32_t ip = 20 + ip_options, tcp = 20 + tcp_options;
  std::vector<uint8_t> frame(14 + ip + tcp);
  frame[12] = 0x08;
  frame[14] = static_cast<uint8_t>(0x40 | (ip / 4));
  store_be16(&frame[16], static_cast<uint16_t>(ip + tcp + payload.size()));
  frame[23] = 6;
  store_be32(&frame[26], 0x0a000001);
  store_be32(&frame[30], 0x0a010002);
  store_be16(&frame[14 + ip], 40000);
  store_be16(&frame[14 + ip + 2], 80);
  frame[14 + ip + 12] = static_cast<uint8_t>((tcp / 4) << 4);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

/// An IPv6 segment, with a hop-by-hop header of padding when it says so.
std::vector<uint8_t> tcp6_frame(bool extension, uint8_t traffic_class, const std::vector<uint8_t>& payload) {
  const uint32_t tcp = 14 + 40 + (extension ? 8 : 0);
  std::vector<uint8_t> frame(tcp + 20);
  store_be16(&frame[12], 0x86dd);
  store_be32(&frame[14], 0x6000'0000u | uint32_t{traffic_class} << 20);
  store_be16(&frame[18], static_cast<uint16_t>(frame.size() - 54 + payload.size()));
  frame[20] = extension ? 0 : 6;
  frame[22] = frame[38] = 0xfd;
  frame[37] = 1;
  frame[53] = 2;
  if (extension) frame[54] = 6, frame[56] = 1, frame[57] = 4;
  store_be16(&frame[tcp], 40000);
  store_be16(&frame[tcp + 2], 80);
  frame[tcp + 12] = 0x50;
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

std::vector<uint8_t> tagged(std::vector<uint8_t> frame, uint16_t control) {
  const uint8_t tag[] = {0x81, 0, static_cast<uint8_t>(control >> 8), static_cast<uint8_t>(control)};
  frame.insert(frame.begin() + 12, tag, tag + 4);
  return frame;
}

std::vector<uint8_t> random_bytes(Random& random, uint32_t n) {
  std::vector<uint8_t> bytes(n);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.one_in(2) ? random.below(4) : random.word());
  return bytes;
}

std::vector<uint8_t> random_frame(Random& random) {
  if (random.one_in(20)) return random_bytes(random, random.below(120));
  const auto payload = random_bytes(random, random.below(random.one_in(10) ? 400 : 60));
  auto frame = random.one_in(3) ? tcp6_frame(random.one_in(3), static_cast<uint8_t>(random.word()), payload)
                                : tcp_frame(random.one_in(5) ? 4 * random.below(11) : 0,
                                            random.one_in(2) ? 12 : 4 * random.below(11), payload);
  if (random.one_in(4)) frame = tagged(std::move(frame), static_cast<uint16_t>(random.one_in(2) ? 5 : random.word()));
  for (uint32_t n = random.one_in(4) ? random.below(6) : 0; n > 0; --n)
    frame[random.below(static_cast<uint32_t>(frame.size()))] = static_cast<uint8_t>(random.word());
  if (random.one_in(4)) frame.resize(random.below(static_cast<uint32_t>(frame.size()) + 1));
  if (random.one_in(6)) frame.insert(frame.end(), random.below(20), 0x55);
  return frame;
}

uint64_t seed_of_run() {
  const char* given = std::getenv("QSTACK_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
}

TestCondition payload_u8(uint32_t offset, Compare compare, uint32_t value) {
  return {Base::payload, offset, 1, false, 0xff, compare, {value}};
}

TestTable iot_table() {
  TestTable table;
  table.rules = {{0, {payload_u8(5, Compare::is, 1), {Base::length, 0, 4, false, ~0u, Compare::over, {80}}}}};
  return table;
}

uint8_t level_of(const TestTable& table, const std::vector<uint8_t>& bytes) {
  Frame frame(bytes);
  locate_tcp(frame.packet);
  return loaded(table).classify(frame.packet);
}

}  // namespace

TEST_CASE("a request of QStack's IoT clients is high, a heartbeat and a short frame are not") {
  std::vector<uint8_t> payload(40, 0);
  payload[5] = 1;
  CHECK(level_of(iot_table(), tcp_frame(0, 12, payload)) == 0);
  payload[5] = 0;
  CHECK(level_of(iot_table(), tcp_frame(0, 12, payload)) == 1);
  CHECK(level_of(iot_table(), tcp_frame(0, 0, {0, 0, 0, 0, 0, 1})) == 1);
}

TEST_CASE("payload offsets follow the options of IP and TCP") {
  std::vector<uint8_t> payload(60, 0);
  payload[5] = 1;
  for (uint32_t ip = 0; ip <= 40; ip += 4) {
    for (uint32_t tcp = 0; tcp <= 40; tcp += 4) CHECK(level_of(iot_table(), tcp_frame(ip, tcp, payload)) == 0);
  }
}

TEST_CASE("with payload_at the payload starts so many bytes behind the start of the TCP header") {
  TestTable table = iot_table();
  table.payload_at = 32;
  std::vector<uint8_t> payload(60, 0);
  payload[5] = 1;
  CHECK(level_of(table, tcp_frame(0, 12, payload)) == 0);
  CHECK(level_of(table, tcp_frame(0, 0, payload)) == 1);
  payload[12 + 5] = 1;
  CHECK(level_of(table, tcp_frame(0, 0, payload)) == 0);
}

TEST_CASE("a condition beyond the frame is false, and its negation too") {
  TestTable table;
  table.rules = {{0, {payload_u8(5, Compare::is_not, 1)}}};
  CHECK(level_of(table, tcp_frame(0, 12, {})) == 1);
  CHECK(level_of(table, tcp_frame(0, 12, {0, 0, 0, 0, 0})) == 1);
  CHECK(level_of(table, tcp_frame(0, 12, {0, 0, 0, 0, 0, 0})) == 0);
}

TEST_CASE("padding behind the IP packet is no payload and has no length") {
  TestTable table;
  table.rules = {{0, {payload_u8(0, Compare::is, 0)}}};
  std::vector<uint8_t> padded = tcp_frame(0, 0, {});
  padded.resize(60, 0);
  CHECK(level_of(table, padded) == 1);
  table.rules = {{0, {{Base::length, 0, 4, false, ~0u, Compare::is, {54}}}}};
  CHECK(level_of(table, padded) == 0);
}

TEST_CASE("rules with a field each: the first that matches wins, whatever the frame is too short for") {
  TestTable table;
  table.levels = 8;
  table.otherwise = 7;
  for (uint32_t i = 0; i < 6; ++i) table.rules.push_back({static_cast<uint8_t>(i), {payload_u8(10 * i, Compare::is, 1)}});
  std::vector<uint8_t> payload(51);
  CHECK(level_of(table, tcp_frame(0, 0, payload)) == 7);
  payload[50] = 1;
  CHECK(level_of(table, tcp_frame(0, 0, payload)) == 5);
  payload[30] = 1;
  CHECK(level_of(table, tcp_frame(0, 0, payload)) == 3);
  payload.resize(31);
  CHECK(level_of(table, tcp_frame(0, 0, payload)) == 3);
  payload.resize(30);
  CHECK(level_of(table, tcp_frame(0, 0, payload)) == 7);
  CHECK(level_of(table, tcp_frame(0, 0, {1})) == 0);
}

TEST_CASE("fields in front of the IP header and behind it have one bound: the furthest, not the one with the largest number") {
  TestTable table;
  table.levels = 8;
  table.otherwise = 7;
  for (uint32_t offset : {3u, 4u, 5u, 100u}) {
    table.rules.push_back({0, {{Base::frame, offset, 1, false, 0xff, Compare::is, {9}}}});
  }
  std::vector<uint8_t> frame = tcp_frame(0, 0, {0});
  CHECK(level_of(table, frame) == 7);
  frame[5] = 9;
  CHECK(level_of(table, frame) == 0);
  frame = tcp_frame(0, 0, std::vector<uint8_t>(47));
  frame[100] = 9;
  CHECK(level_of(table, frame) == 0);
}

TEST_CASE("a rule may ask for what costs most first") {
  TestTable table;
  TestCondition filter{Base::filter, 0, 0, false, 0, Compare::is, {}, "tcp dst port 80"};
  const TestCondition network{Base::ipv4, 12, 4, false, ~0u, Compare::one_of, {0x0a000001}};
  table.rules = {{0, {filter, network, {Base::length, 0, 4, false, ~0u, Compare::over, {50}}, payload_u8(0, Compare::is, 1)}}};
  CHECK(level_of(table, tcp_frame(0, 0, {1})) == 0);
  CHECK(level_of(table, tcp_frame(0, 0, {2})) == 1);
  table.rules[0].conditions[0].compare = Compare::is_not;
  CHECK(level_of(table, tcp_frame(0, 0, {1})) == 1);
  table.rules[0].conditions[0].filter = "tcp dst port 81";
  CHECK(level_of(table, tcp_frame(0, 0, {1})) == 0);
}

TEST_CASE("what is not TCP has level 0") {
  TestTable table;
  std::vector<uint8_t> udp = tcp_frame(0, 0, {1, 2, 3});
  udp[23] = 17;
  CHECK(level_of(table, udp) == 0);
  CHECK(level_of(table, std::vector<uint8_t>(60, 0)) == 0);
  std::vector<uint8_t> fragment = tcp_frame(0, 0, {1, 2, 3});
  fragment[21] = 1;
  CHECK(level_of(table, fragment) == 0);
}

TEST_CASE("the first rule that matches wins, and is counted") {
  TestTable table;
  table.levels = 3;
  table.otherwise = 1;
  table.rules = {{2, {payload_u8(0, Compare::is, 7)}}, {0, {payload_u8(0, Compare::under, 9)}}};
  const Classifier classifier = loaded(table);
  uint64_t hits[3] = {};
  for (uint8_t first : {7, 8, 7, 9, 3}) {
    Frame frame(tcp_frame(0, 0, {first}));
    locate_tcp(frame.packet);
    const uint8_t level = classifier.classify(frame.packet, hits);
    CHECK(level == (first == 7 ? 2 : first < 9 ? 0 : 1));
    CHECK(level == classifier.classify(frame.packet));
  }
  CHECK(hits[0] == 2);
  CHECK(hits[1] == 2);
  CHECK(hits[2] == 1);
}

TEST_CASE("a message inside a frame is judged by its own first bytes, and by the headers it came with") {
  TestTable table;
  table.rules = {{0, {payload_u8(0, Compare::is, 1), {Base::tcp, 2, 2, false, 0xffff, Compare::is, {80}}}}};
  Frame frame(tcp_frame(0, 0, {9, 9, 1, 9}));
  locate_tcp(frame.packet);
  const Classifier classifier = loaded(table);
  CHECK(classifier.classify(frame.packet) == 1);
  CHECK(classifier.classify_bytes({frame.packet.data + frame.packet.payload + 2, 2}, frame.packet) == 0);
  CHECK(classifier.classify_bytes({}, frame.packet) == 1);
}

TEST_CASE("an empty classifier gives level 0 to everything") {
  Frame frame(tcp_frame(0, 0, {1}));
  locate_tcp(frame.packet);
  CHECK(Classifier().classify(frame.packet) == 0);
}

TEST_CASE("a damaged table is refused by a sentence") {
  const std::vector<uint8_t> good = write_table(iot_table());
  CHECK(fault_of(good) == "");
  CHECK(fault_of({}) == "not a classifier table");
  auto with = [&](size_t at, uint8_t value) {
    auto bad = good;
    bad[at] = value;
    return fault_of(bad);
  };
  CHECK(with(4, 9) == "classifier table version 9 is not 2");
  CHECK(with(5, 9) == "classifier table has 9 levels; 1 to 8 are possible");
  CHECK(with(6, 2) == "default level 2 is not below 2");
  CHECK(with(8, 2) == "classifier table has 64 bytes; its header says 68");
  CHECK(with(20, 2) == "rule 0: level 2 does not exist");
  CHECK(with(21, 3) == "rule 0: its conditions are not in the table");
  CHECK(with(21, 1) == "the table has conditions that belong to no rule");
  CHECK(with(24, 10) == "condition 0: unknown base");
  CHECK(with(24, 9) == "condition 0: a filter has a text and nothing else");
  CHECK(with(25, 3) == "condition 0: the width is not 1, 2, 4 or 16");
  CHECK(with(33, 1) == "condition 0: the mask is wider than the field");
  CHECK(with(26, 4) == "condition 0: a list has 1 to 16 values");
}

TestCondition filter(const std::string& expression, Compare compare = Compare::is) {
  return {Base::filter, 0, 0, false, 0, compare, {}, expression};
}

TEST_CASE("a pcap-filter expression is a condition like others: libpcap compiles it, and says what is wrong with it") {
  TestTable table;
  table.rules = {{0, {filter("tcp[37] = 1 and greater 81"), payload_u8(0, Compare::is, 7)}}};
  std::vector<uint8_t> payload(40, 0);
  payload[0] = 7;
  payload[5] = 1;
  CHECK(level_of(table, tcp_frame(0, 12, payload)) == 0);
  CHECK(level_of(table, tcp_frame(0, 0, payload)) == 1);
  payload[0] = 8;
  CHECK(level_of(table, tcp_frame(0, 12, payload)) == 1);
  CHECK(fault_of(write_table(table)) == "");
  table.rules = {{0, {filter("tcp[")}}};
  CHECK(fault_of(write_table(table)).starts_with("the pcap filter \"tcp[\" is refused by libpcap: "));
}

TEST_CASE("filters agree with what they say, on random frames of both families; a negated one is the opposite") {
  const uint64_t seed = seed_of_run();
  Random random(seed);
  TestTable asked;
  asked.rules = {{0, {filter("ip and tcp[13] & 2 != 0 and less 90")}}};
  TestTable negated = asked;
  negated.rules[0].conditions[0].compare = Compare::is_not;
  TestTable meant;
  meant.rules = {{0,
                  {{Base::frame, 12, 2, false, 0xffff, Compare::is, {0x0800}},
                   {Base::tcp, 13, 1, false, 2, Compare::is, {2}},
                   {Base::length, 0, 4, false, ~0u, Compare::under, {91}}}}};
  const Classifier filtered = loaded(asked), opposite = loaded(negated), structured = loaded(meant);
  uint32_t accepted = 0, wrong = 0;
  for (uint32_t i = 0; i < 50'000; ++i) {
    auto bytes = random_frame(random);
    if (bytes.size() > 47 && random.one_in(2)) bytes[47] = static_cast<uint8_t>(random.word());
    Frame frame(bytes);
    if (!locate_tcp(frame.packet)) continue;
    const uint8_t level = structured.classify(frame.packet);
    accepted += level == 0 ? 1 : 0;
    wrong += filtered.classify(frame.packet) != level || opposite.classify(frame.packet) == level ? 1 : 0;
  }
  CHECK(accepted > 1'000);
  CHECK(wrong == 0);
  std::printf("seed %llu (filters, %u accepted)\n", static_cast<unsigned long long>(seed), accepted);
}

TEST_CASE("a tag is no part of the frame, but its VLAN and priority can be asked for") {
  TestTable table;
  table.rules = {{0, {{Base::vlan, 2, 2, false, 0x0fff, Compare::is, {5}}, {Base::vlan, 2, 2, false, 0xe000, Compare::is, {0xe000}}}}};
  CHECK(level_of(table, tagged(tcp_frame(0, 0, {}), 0xe005)) == 0);
  CHECK(level_of(table, tagged(tcp_frame(0, 0, {}), 0xc005)) == 1);
  CHECK(level_of(table, tcp_frame(0, 0, {})) == 1);
}

TEST_CASE("the code point is found in both families, and an IPv4 prefix is none of an IPv6 address") {
  TestTable table;
  table.rules = {{0, {{Base::dscp, 0, 1, false, 0xff, Compare::is, {46 << 2}}}}};
  auto four = tcp_frame(0, 0, {});
  four[15] = 46 << 2 | 1;
  CHECK(level_of(table, four) == 0);
  CHECK(level_of(table, tcp6_frame(true, 46 << 2 | 2, {})) == 0);
  CHECK(level_of(table, tcp6_frame(false, 45 << 2, {})) == 1);
  table.rules = {{0, {{Base::ipv4, 12, 4, false, 0, Compare::is, {0}}}}};
  CHECK(level_of(table, four) == 0);
  CHECK(level_of(table, tcp6_frame(false, 0, {})) == 1);
}

TEST_CASE("random and mutated tables are refused or load, and what loads reads no byte outside of a frame") {
  const uint64_t seed = seed_of_run();
  Random random(seed);
  uint32_t accepted = 0;
  for (uint32_t i = 0; i < 20'000; ++i) {
    std::vector<uint8_t> table = write_table(random_table(random));
    for (uint32_t n = random.below(3); n > 0; --n)
      table[random.below(static_cast<uint32_t>(table.size()))] ^= 1 << random.below(8);
    if (random.one_in(8)) table.resize(random.below(static_cast<uint32_t>(table.size())));
    auto result = Classifier::load(table);
    if (!std::holds_alternative<Classifier>(result)) continue;
    ++accepted;
    Frame frame(random_frame(random));
    locate_tcp(frame.packet);
    const Classifier& classifier = std::get<Classifier>(result);
    REQUIRE(classifier.classify(frame.packet) < classifier.levels());
  }
  CHECK(accepted > 1'000);
  std::printf("seed %llu (mutated tables)\n", static_cast<unsigned long long>(seed));
}

TEST_CASE("the classifier agrees with a naive reference on random rules and frames") {
  const uint64_t seed = seed_of_run();
  Random random(seed);
  uint32_t compared = 0, matched = 0, wrong = 0;
  while (compared < 250'000) {
    const TestTable table = random_table(random);
    const Classifier classifier = loaded(table);
    for (uint32_t i = 0; i < 50; ++i, ++compared) {
      Frame frame(random_frame(random));
      locate_tcp(frame.packet);
      const uint32_t rule = classifier.match(frame.packet);
      matched += rule < table.rules.size() ? 1 : 0;
      wrong += classifier.classify(frame.packet) != naive_level(table, frame.packet) ? 1 : 0;
      const std::vector<uint8_t> message = random_bytes(random, random.below(40));
      wrong += classifier.classify_bytes(message, frame.packet) != naive_level(table, frame.packet, &message) ? 1 : 0;
    }
  }
  CHECK(wrong == 0);
  CHECK(matched > compared / 10);
  std::printf("seed %llu (%u frames, %u matched a rule)\n", static_cast<unsigned long long>(seed), compared, matched);
}
