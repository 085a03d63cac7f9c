// The rule evaluator: a table and a frame, both of any bytes. What load() accepts is judged a second time by a reader
// that takes every condition from the table's bytes anew; the frame lies in exactly as many bytes as it has.
#include <memory>
#include <vector>

#include "native/classify/classifier.hh"
#include "native/classify/locate.hh"
#include "native/wire/tcp.hh"
#include "test/fuzz/require.hh"
#include "test/fuzz/script.hh"
#include "test/fuzz/targets.hh"

namespace qstack::fuzz {
namespace {

using namespace rule_table;

using Bytes = std::vector<uint8_t>;

void put(Bytes& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

/// Both ends of the range of addresses and masks are frequent.
void put_network(Script& script, Bytes& conditions, Bytes& lists) {
  put(conditions, script.below(static_cast<uint32_t>(Base::filter)) | uint32_t{kNetworkWidth} << 8 | (script.u8() & 2u) << 16, 4);
  put(conditions, script.u8(), 4);
  put(conditions, 0, 4);
  put(conditions, lists.size() / 4, 4);
  put(conditions, 0, 4);
  for (uint32_t i = 0; i < kNetworkWords; ++i) put(lists, script.below(3) != 0 ? 0 : script.u32(), 4);
}

/// A table that load() accepts, unless the script bends it. Half of the tables have many rules, whose conditions are fields of
/// few headers, of one value mostly.
Bytes write_table(Script& script) {
  Bytes rules, conditions, lists, table;
  const bool many = (script.u8() & 1) != 0;
  const uint32_t rule_count = script.below(many ? 24 : 6);
  const uint32_t bases = many ? 1 + script.below(4) : static_cast<uint32_t>(Base::filter);
  uint32_t condition_count = 0;
  const uint8_t levels = static_cast<uint8_t>(1 + script.below(kLevelsMax));
  const uint8_t options = script.u8() & 1;
  for (uint32_t rule = 0; rule < rule_count; ++rule) {
    const uint32_t tests = many ? 1 + script.below(2) : script.below(4);
    put(rules, script.below(levels) | tests << 8, 4);
    condition_count += tests;
    for (uint32_t test = 0; test < tests; ++test) {
      if (!many && script.below(8) == 0) {
        put_network(script, conditions, lists);
        continue;
      }
      const uint8_t width = static_cast<uint8_t>(1u << script.below(3));
      const uint8_t flags = script.u8() & (many ? kLittleEndian | kNot : 7);
      const uint32_t list = flags & kList ? 1 + script.below(kListMax) : 0;
      const uint16_t offset = script.u8();
      const uint32_t mask = script.u32() >> (32 - 8 * width);
      put(conditions, script.below(bases) | width << 8 | flags << 16 | list << 24, 4);
      put(conditions, offset, 4);
      put(conditions, mask, 4);
      put(conditions, list != 0 ? lists.size() / 4 : many ? script.u8() : script.u32(), 4);
      put(conditions, list != 0 || (many && script.below(4) != 0) ? 0 : script.u32(), 4);
      for (uint32_t i = 0; i < list; ++i) put(lists, script.u8(), 4);
    }
  }
  put(table, kMagic, 4);
  put(table, kVersion | levels << 8 | script.below(levels) << 16 | uint32_t{options} << 24, 4);
  put(table, rule_count | condition_count << 16, 4);
  put(table, lists.size() / 4 | (options != 0 ? uint64_t{script.u8()} << 16 : 0), 4);
  put(table, 0, 4);
  for (const Bytes* part : {&rules, &conditions, &lists}) table.insert(table.end(), part->begin(), part->end());
  for (uint32_t bends = script.below(4) / 3; bends > 0; --bends) table[script.u16() % table.size()] ^= script.u8();
  return table;
}

/// Headers of a TCP segment with some bytes changed, and a payload.
Bytes write_frame(Script& script) {
  Bytes frame(14 + 20 + 20);
  frame[12] = 8;
  frame[14] = 0x45;
  frame[23] = kProtocolTcp;
  frame[46] = 0x50;
  const auto payload = script.bytes(script.u8());
  frame.insert(frame.end(), payload.begin(), payload.end());
  store_be16(frame.data() + 16, static_cast<uint16_t>(frame.size() - 14));
  for (uint32_t changes = script.below(5); changes > 0; --changes) frame[script.u8() % frame.size()] = script.u8();
  frame.resize(frame.size() - std::min<size_t>(frame.size(), script.u8() & 128 ? script.u8() : 0));
  return frame;
}

/// The meaning of rule_table.hh, without a thought for speed.
class SlowReader {
 public:
  SlowReader(const Bytes& table, const Packet& packet) : table_(table), packet_(packet) {}

  uint32_t match() const {
    const uint32_t rules = read(8, 2);
    uint32_t condition = 0;
    for (uint32_t rule = 0; rule < rules; ++rule) {
      const uint32_t tests = read(kHeaderBytes + rule * kRuleBytes + 1, 1);
      bool all = true;
      for (uint32_t i = 0; i < tests; ++i) all = holds(condition + i) && all;
      if (all) return rule;
      condition += tests;
    }
    return rules;
  }
  uint8_t level(uint32_t rule) const {
    return static_cast<uint8_t>(rule == read(8, 2) ? read(6, 1) : read(kHeaderBytes + rule * kRuleBytes, 1));
  }

 private:
  uint32_t read(size_t at, size_t bytes) const {
    uint32_t value = 0;
    for (size_t i = bytes; i-- > 0;) value = value << 8 | table_.at(at + i);
    return value;
  }

  Bytes field() const { return {packet_.data, packet_.data + packet_.length}; }

  int version() const { return packet_.data[packet_.l3] >> 4; }

  /// Of the tag, and of the code point.
  Bytes value_bytes(Base base) const {
    Bytes out;
    const uint8_t* const ip = packet_.data + packet_.l3;
    if (base == Base::vlan && packet_.tag != 0) {
      for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(packet_.tag >> shift));
    }
    if (base == Base::dscp && version() == 4) out.push_back(ip[1] & 0xfc);
    if (base == Base::dscp && version() == 6) out.push_back(static_cast<uint8_t>((ip[0] << 4 | ip[1] >> 4) & 0xfc));
    return out;
  }

  /// The bytes that a base begins with, up to its end.
  Bytes base_bytes(Base base) const {
    const Bytes frame = field();
    if (base == Base::length) return {0, 0, static_cast<uint8_t>(frame.size() >> 8), static_cast<uint8_t>(frame.size())};
    size_t first = 0, end = frame.size();
    if (base == Base::vlan || base == Base::dscp) return value_bytes(base);
    if ((base == Base::ipv4 || base == Base::ipv6) && version() != (base == Base::ipv4 ? 4 : 6)) return {};
    if (base == Base::ip || base == Base::ipv4 || base == Base::ipv6) first = packet_.l3;
    if (base == Base::tcp) first = packet_.l4;
    if (base == Base::payload) {
      first = read(7, 1) & kPayloadAt ? packet_.l4 + read(14, 2) : packet_.payload;
      end = packet_.payload + packet_.payload_length;
    }
    return first >= end ? Bytes{} : Bytes(frame.begin() + static_cast<long>(first), frame.begin() + static_cast<long>(end));
  }

  bool holds(uint32_t condition) const {
    const size_t at = kHeaderBytes + read(8, 2) * kRuleBytes + condition * kConditionBytes;
    const uint32_t width = read(at + 1, 1), flags = read(at + 2, 1), list = read(at + 3, 1), offset = read(at + 4, 2);
    const Bytes bytes = base_bytes(static_cast<Base>(read(at, 1)));
    if (offset + width > bytes.size()) return false;
    if (width == kNetworkWidth) return in_network(at, bytes, offset) != ((flags & kNot) != 0);
    uint64_t value = 0;
    for (uint32_t i = 0; i < width; ++i) value = value << 8 | bytes[offset + (flags & kLittleEndian ? width - 1 - i : i)];
    value &= read(at + 8, 4);
    return inside(at, list, value) != ((flags & kNot) != 0);
  }

  bool in_network(size_t at, const Bytes& bytes, uint32_t offset) const {
    const size_t values = kHeaderBytes + read(8, 2) * kRuleBytes + read(10, 2) * kConditionBytes + 4 * read(at + 12, 4);
    bool all = true;
    for (uint32_t i = 0; i < kNetworkWidth; ++i) {
      const size_t place = values + i / 4 * 4 + 3 - i % 4;
      all = all && ((bytes[offset + i] ^ read(place, 1)) & read(place + 16, 1)) == 0;
    }
    return all;
  }

  bool inside(size_t at, uint32_t list, uint64_t value) const {
    const uint64_t low = read(at + 12, 4), span = read(at + 16, 4);
    if (list == 0) return (value < low ? value + (uint64_t{1} << 32) : value) - low <= span;
    const size_t lists = kHeaderBytes + read(8, 2) * kRuleBytes + read(10, 2) * kConditionBytes;
    for (uint32_t i = 0; i < list; ++i) {
      if (read(lists + (low + i) * 4, 4) == value) return true;
    }
    return false;
  }

  const Bytes& table_;
  const Packet& packet_;
};

}  // namespace

void rules(std::span<const uint8_t> input) {
  Script script(input);
  const Bytes frame = write_frame(script);
  const bool any_bytes = script.below(8) == 0;
  const auto rest = any_bytes ? script.bytes(input.size()) : std::span<const uint8_t>{};
  const Bytes table = any_bytes ? Bytes(rest.begin(), rest.end()) : write_table(script);
  const auto loaded = Classifier::load(table);
  const auto* const classifier = std::get_if<Classifier>(&loaded);
  if (classifier == nullptr) return;
  // One allocation per frame: the sanitizer sees the first byte beyond.
  const auto bytes = std::make_unique<uint8_t[]>(frame.size());
  std::copy(frame.begin(), frame.end(), bytes.get());
  Packet packet{};
  packet.data = bytes.get();
  packet.length = static_cast<uint16_t>(frame.size());
  if (!locate_tcp(packet)) return require(classifier->match(packet) == kNoIndex, "what is no segment has no rule");
  const SlowReader slow(table, packet);
  const uint32_t rule = classifier->match(packet);
  require(rule == slow.match(), "both readers find the same rule");
  require(classifier->rule_level(rule) == slow.level(rule), "both readers find the same level");
  const std::span<const uint8_t> message = frame;
  require(classifier->classify_bytes(message.subspan(frame.size() / 2), packet) < kLevelsMax, "a message has a level");
}

}  // namespace qstack::fuzz
