// What a frame costs in the classifier, beside the same rules by hand.
#include <array>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "native/bench/micro.hh"
#include "native/classify/classifier.hh"
#include "native/stack/stack_thread.hh"
#include "native/wire/bytes.hh"

namespace qstack::bench {

namespace {

constexpr uint16_t kEthernet = 14, kIp = 20, kTcp = 32, kPayload = 200;
constexpr uint32_t kFrames = 1'024;

void put16(std::vector<uint8_t>& table, uint16_t value) {
  table.push_back(static_cast<uint8_t>(value));
  table.push_back(static_cast<uint8_t>(value >> 8));
}

void put32(std::vector<uint8_t>& table, uint32_t value) {
  put16(table, static_cast<uint16_t>(value));
  put16(table, static_cast<uint16_t>(value >> 16));
}

void put_condition(std::vector<uint8_t>& table, rule_table::Base base, uint8_t width, uint16_t offset, uint32_t low,
                   uint32_t span) {
  table.insert(table.end(), {static_cast<uint8_t>(base), width, 0, 0});
  put16(table, offset);
  put16(table, 0);
  put32(table, width == 1 ? 0xff : ~0u);
  put32(table, low);
  put32(table, span);
}

/// `payload[5] == 1 and length > 80 -> 0`, `payload[5] in 2..9 -> 1`, else 2.
Classifier make_classifier() {
  std::vector<uint8_t> table;
  put32(table, rule_table::kMagic);
  table.insert(table.end(), {rule_table::kVersion, 3, 2, 0});
  put16(table, 2);
  put16(table, 3);
  put32(table, 0);
  table.insert(table.end(), {0, 2, 0, 0, 1, 1, 0, 0});
  put_condition(table, rule_table::Base::payload, 1, 5, 1, 0);
  put_condition(table, rule_table::Base::length, 4, 0, 81, ~0u - 81);
  put_condition(table, rule_table::Base::payload, 1, 5, 2, 7);
  auto loaded = Classifier::load(table);
  if (const auto* const fault = std::get_if<std::string>(&loaded)) throw std::runtime_error(*fault);
  return std::move(std::get<Classifier>(loaded));
}

/// As one would write it by hand, with the same care for what lies outside of the frame.
[[gnu::noinline]] uint8_t by_hand(const Packet& packet) {
  const uint32_t at = packet.payload + 5u;
  if (at >= uint32_t{packet.payload} + packet.payload_length) return 2;
  const uint8_t kind = packet.data[at];
  if (kind == 1 && packet.length > 80) return 0;
  return kind >= 2 && kind <= 9 ? 1 : 2;
}

struct Frames {
  std::vector<std::array<uint8_t, kEthernet + kIp + kTcp + kPayload>> bytes{kFrames};
  std::vector<Packet> packets{kFrames};

  Frames() {
    for (uint32_t i = 0; i < kFrames; ++i) {
      bytes[i].fill(0);
      bytes[i][kEthernet + kIp + kTcp + 5] = static_cast<uint8_t>(i * 7 % 16);
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
};

template <typename Judge>
double cost(const Frames& frames, uint32_t count, uint64_t& sum, Judge judge) {
  const Nanos start = monotonic_now();
  for (uint32_t i = 0; i < count; ++i) sum += judge(frames.packets[i % kFrames]);
  return static_cast<double>(monotonic_now() - start) / count;
}

}  // namespace

Costs classify_costs(uint32_t count) {
  const Classifier classifier = make_classifier();
  const Frames frames;
  uint64_t rules = 0, hand = 0;
  const double rules_ns = cost(frames, count, rules, [&](const Packet& packet) { return classifier.classify(packet); });
  const double hand_ns = cost(frames, count, hand, by_hand);
  if (rules != hand) throw std::runtime_error("the rules and the function by hand disagree");
  return {{"rules_ns", rules_ns}, {"by_hand_ns", hand_ns}};
}

}  // namespace qstack::bench
