// What a frame costs in the classifier, beside the same rules by hand.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "native/bench/micro.hh"
#include "native/classify/classifier.hh"
#include "native/stack/stack_thread.hh"
#include "native/wire/bytes.hh"

namespace qstack::bench {

namespace {

using rule_table::Base;

constexpr uint16_t kEthernet = 14, kIp = 20, kTcp = 32, kPayload = 200;
constexpr uint32_t kFrames = 1'024;
constexpr uint32_t kMany = 64;
constexpr uint8_t kMark = 200;
constexpr uint8_t kLowest = 2;

/// A table with three levels, the lowest of which is the default.
class Table {
 public:
  Table& rule(uint8_t level, const std::vector<std::vector<uint8_t>>& conditions) {
    rules_.insert(rules_.end(), {level, static_cast<uint8_t>(conditions.size()), 0, 0});
    for (const auto& bytes : conditions) conditions_.insert(conditions_.end(), bytes.begin(), bytes.end());
    return *this;
  }

  static std::vector<uint8_t> condition(Base base, uint8_t width, uint16_t offset, uint32_t low, uint32_t span) {
    std::vector<uint8_t> out = {static_cast<uint8_t>(base), width, 0, 0};
    put(out, offset);
    put(out, width == 1 ? 0xff : ~0u);
    put(out, low);
    put(out, span);
    return out;
  }
  static std::vector<uint8_t> byte(uint16_t offset, uint32_t low, uint32_t span = 0) {
    return condition(Base::payload, 1, offset, low, span);
  }
  static std::vector<uint8_t> longer_than(uint32_t bytes) {
    return condition(Base::length, 4, 0, bytes + 1, ~0u - bytes - 1);
  }
  std::vector<uint8_t> filter(const std::string& expression) {
    std::vector<uint8_t> out = {static_cast<uint8_t>(Base::filter), 0, 0, 0};
    put(out, 0);
    put(out, 0);
    put(out, static_cast<uint32_t>(text_.size()));
    put(out, static_cast<uint32_t>(expression.size()));
    text_ += expression;
    return out;
  }

  Classifier load() const {
    std::vector<uint8_t> table;
    put(table, rule_table::kMagic);
    table.insert(table.end(), {rule_table::kVersion, 3, kLowest, 0});
    const size_t rules = rules_.size() / rule_table::kRuleBytes;
    const size_t conditions = conditions_.size() / rule_table::kConditionBytes;
    put(table, static_cast<uint32_t>(rules | conditions << 16));
    put(table, 0);
    put(table, static_cast<uint32_t>(text_.size()));
    for (const auto* part : {&rules_, &conditions_}) table.insert(table.end(), part->begin(), part->end());
    table.insert(table.end(), text_.begin(), text_.end());
    auto loaded = Classifier::load(table);
    if (const auto* const fault = std::get_if<std::string>(&loaded)) throw std::runtime_error(*fault);
    return std::move(std::get<Classifier>(loaded));
  }

 private:
  static void put(std::vector<uint8_t>& out, uint32_t value) {
    const size_t at = out.size();
    out.resize(at + 4);
    for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<uint8_t>(value >> (8 * i));
  }

  std::vector<uint8_t> rules_, conditions_;
  std::string text_;
};

// The functions by hand take the same care for what lies outside of the frame.

const uint8_t* payload_of(const Packet& packet, uint32_t bytes) {
  return packet.payload + bytes > packet.length ? nullptr : packet.data + packet.payload;
}

[[gnu::noinline]] uint8_t one_by_hand(const Packet& packet) {
  const uint8_t* const payload = payload_of(packet, 6);
  return payload != nullptr && payload[5] == 1 && packet.length > 80 ? 0 : kLowest;
}

[[gnu::noinline]] uint8_t two_by_hand(const Packet& packet) {
  const uint8_t* const payload = payload_of(packet, 6);
  if (payload == nullptr) return kLowest;
  if (payload[5] == 1 && packet.length > 80) return 0;
  return payload[5] >= 2 && payload[5] <= 9 ? 1 : kLowest;
}

/// A field for each rule.
[[gnu::noinline]] uint8_t many_by_hand(const Packet& packet) {
  const uint8_t* const payload = payload_of(packet, kMany);
  if (payload == nullptr) return kLowest;
  for (uint32_t i = 0; i < kMany; ++i) {
    if (payload[i] == kMark) return static_cast<uint8_t>(i % 2);
  }
  return kLowest;
}

/// The same, in three headers by turns.
[[gnu::noinline]] uint8_t headers_by_hand(const Packet& packet) {
  if (payload_of(packet, kMany) == nullptr) return kLowest;
  const uint8_t* const headers[] = {packet.data + packet.l3, packet.data + packet.l4, packet.data + packet.payload};
  for (uint32_t i = 0; i < kMany; ++i) {
    if (headers[i % 3][i] == kMark) return static_cast<uint8_t>(i % 2);
  }
  return kLowest;
}

/// One field for all rules.
[[gnu::noinline]] uint8_t kinds_by_hand(const Packet& packet) {
  const uint8_t* const payload = payload_of(packet, 6);
  return payload != nullptr && payload[5] < kMany ? payload[5] % 2 : kLowest;
}

/// `tcp[37] = 1 and greater 81`, which says nothing about where the payload begins.
[[gnu::noinline]] uint8_t filter_by_hand(const Packet& packet) {
  const uint8_t* const frame = packet.data;
  if (packet.length < kEthernet + kIp || load_be16(frame + 12) != 0x0800 || frame[23] != 6) return kLowest;
  if ((load_be16(frame + 20) & 0x1fff) != 0) return kLowest;
  const uint32_t at = kEthernet + (frame[14] & 15u) * 4 + 37;
  return at < packet.length && frame[at] == 1 && packet.length >= 81 ? 0 : kLowest;
}

struct Frames {
  std::vector<std::array<uint8_t, kEthernet + kIp + kTcp + kPayload>> bytes{kFrames};
  std::vector<Packet> packets{kFrames};

  Frames() {
    for (uint32_t i = 0; i < kFrames; ++i) {
      fill(bytes[i].data(), i);
      Packet& packet = packets[i];
      packet = Packet{};
      packet.data = bytes[i].data();
      packet.length = static_cast<uint16_t>(bytes[i].size());
      packet.l3 = kEthernet;
      packet.l4 = kEthernet + kIp;
      packet.payload = kEthernet + kIp + kTcp;
      packet.payload_length = kPayload;
    }
  }

  /// Every sixteenth frame has the mark somewhere among the fields of the many rules.
  static void fill(uint8_t* frame, uint32_t i) {
    store_be16(frame + 12, 0x0800);
    frame[14] = 0x45;
    frame[23] = 6;
    uint8_t* const payload = frame + kEthernet + kIp + kTcp;
    payload[5] = static_cast<uint8_t>(i * 7 % 16);
    if (i % 16 == 3) payload[6 + i / 16 % (kMany - 6)] = kMark;
  }
};

/// The median of passes over all frames: one that was interrupted does not count.
template <typename Judge>
double cost(const Frames& frames, uint32_t count, uint64_t& sum, Judge judge) {
  std::vector<Nanos> passes;
  for (uint32_t done = 0; done < count; done += kFrames) {
    const Nanos start = monotonic_now();
    for (const Packet& packet : frames.packets) sum += judge(packet);
    passes.push_back(monotonic_now() - start);
  }
  std::nth_element(passes.begin(), passes.begin() + static_cast<long>(passes.size() / 2), passes.end());
  return static_cast<double>(passes[passes.size() / 2]) / kFrames;
}

/// Puts both into `costs`; levels that differ are no comparison.
void compare(Costs& costs, const std::string& name, const Frames& frames, uint32_t count, const Classifier& classifier,
             uint8_t (*by_hand)(const Packet&)) {
  for (const Packet& packet : frames.packets) {
    if (classifier.classify(packet) != by_hand(packet)) throw std::runtime_error(name + ": the function by hand disagrees");
  }
  uint64_t rules = 0, hand = 0;
  costs[name + "_ns"] = cost(frames, count, rules, [&](const Packet& packet) { return classifier.classify(packet); });
  costs[name + "_by_hand_ns"] = cost(frames, count, hand, by_hand);
  if (rules != hand) throw std::runtime_error(name + ": the sums of the levels differ");
}

Classifier many_fields() {
  Table table;
  for (uint16_t i = 0; i < kMany; ++i) table.rule(i % 2, {Table::byte(i, kMark)});
  return table.load();
}

Classifier many_headers() {
  constexpr Base kHeaders[] = {Base::ip, Base::tcp, Base::payload};
  Table table;
  for (uint16_t i = 0; i < kMany; ++i) table.rule(i % 2, {Table::condition(kHeaders[i % 3], 1, i, kMark, 0)});
  return table.load();
}

Classifier many_kinds() {
  Table table;
  for (uint16_t i = 0; i < kMany; ++i) table.rule(i % 2, {Table::byte(5, i)});
  return table.load();
}

}  // namespace

Costs classify_costs(uint32_t count) {
  const Frames frames;
  const std::vector<std::vector<uint8_t>> request = {Table::byte(5, 1), Table::longer_than(80)};
  Costs costs;
  compare(costs, "one_rule", frames, count, Table().rule(0, request).load(), one_by_hand);
  compare(costs, "rules", frames, count, Table().rule(0, request).rule(1, {Table::byte(5, 2, 7)}).load(), two_by_hand);
  compare(costs, "rules_64", frames, count / 4, many_fields(), many_by_hand);
  compare(costs, "rules_64_of_three_headers", frames, count / 4, many_headers(), headers_by_hand);
  compare(costs, "rules_64_of_one_field", frames, count, many_kinds(), kinds_by_hand);
  Table filters;
  filters.rule(0, {filters.filter("tcp[37] = 1 and greater 81")});
  compare(costs, "pcap", frames, count, filters.load(), filter_by_hand);
  return costs;
}

}  // namespace qstack::bench
