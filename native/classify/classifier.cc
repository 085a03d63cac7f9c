#include "native/classify/classifier.hh"

#include "native/wire/bytes.hh"

namespace qstack {

using namespace rule_table;

/// Start and room of each base. The frame's length is four bytes of its own, so that it is read like any field.
struct Classifier::View {
  Bytes bases[static_cast<size_t>(Base::count_)];
  uint8_t length[4];

  explicit View(const Packet& packet) {
    const uint32_t frame = packet.length;
    set(Base::frame, packet, 0, frame);
    set(Base::ip, packet, packet.l3, frame);
    set(Base::tcp, packet, packet.l4, frame);
    set(Base::payload, packet, packet.payload, payload_end(packet));
    store_be32(length, frame);
    bases[static_cast<size_t>(Base::length)] = {length, 4};
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  static uint32_t payload_end(const Packet& packet) {
    const uint32_t end = uint32_t{packet.payload} + packet.payload_length;
    return end < packet.length ? end : packet.length;
  }

  void set(Base base, const Packet& packet, uint32_t start, uint32_t end) {
    bases[static_cast<size_t>(base)] = {packet.data + start, start < end ? end - start : 0};
  }
};

namespace {

inline uint32_t read_field(const uint8_t* at, uint32_t width) {
  return width == 1 ? *at : width == 2 ? load_be16(at) : load_be32(at);
}

inline uint32_t swap_field(uint32_t value, uint32_t width) { return __builtin_bswap32(value) >> (32 - 8 * width); }

}  // namespace

bool Classifier::listed(const Condition& condition, uint32_t value) const {
  const uint32_t* values = lists_.data() + condition.low;
  for (uint32_t i = 0; i < condition.list_length; ++i) {
    if (values[i] == value) return true;
  }
  return false;
}

inline bool Classifier::holds(const Condition& condition, const View& view) const {
  const Bytes& base = view.bases[static_cast<size_t>(condition.base)];
  if (condition.offset + condition.width > base.length) return false;
  uint32_t value = read_field(base.at + condition.offset, condition.width);
  if (condition.flags == 0) return (value & condition.mask) - condition.low <= condition.span;
  if (condition.flags & kLittleEndian) value = swap_field(value, condition.width);
  value &= condition.mask;
  const bool inside = condition.flags & kList ? listed(condition, value) : value - condition.low <= condition.span;
  return inside != ((condition.flags & kNot) != 0);
}

inline bool Classifier::holds(const Rule& rule, const View& view) const {
  const Condition* condition = conditions_.data() + rule.first;
  for (const Condition* end = condition + rule.count; condition != end; ++condition) {
    if (!holds(*condition, view)) return false;
  }
  return true;
}

inline uint32_t Classifier::match(const View& view) const {
  const uint32_t count = rules();
  for (uint32_t rule = 0; rule < count; ++rule) {
    if (holds(rules_[rule], view)) return rule;
  }
  return count;
}

uint32_t Classifier::match(const Packet& packet) const {
  if (packet.l4 == 0) return kNoIndex;
  if (rules_.empty()) return 0;
  View view(packet);
  if (fixed_payload_) view.set(Base::payload, packet, packet.l4 + payload_at_, View::payload_end(packet));
  return match(view);
}

uint8_t Classifier::classify(const Packet& packet, uint64_t* hits) const {
  const uint32_t rule = match(packet);
  if (rule == kNoIndex) return 0;
  ++hits[rule];
  return rule_level(rule);
}

uint8_t Classifier::classify_bytes(std::span<const uint8_t> message, const Packet& carrier) const {
  View view(carrier);
  view.bases[static_cast<size_t>(Base::payload)] = {message.data(), static_cast<uint32_t>(message.size())};
  return rule_level(match(view));
}

}  // namespace qstack
