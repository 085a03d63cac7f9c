#include "native/classify/classifier.hh"

#include <cstring>

#include "native/wire/bytes.hh"

namespace qstack {

using namespace rule_table;

namespace {

inline uint32_t read_field(const uint8_t* at, uint32_t width) {
  return width == 1 ? *at : width == 2 ? load_be16(at) : load_be32(at);
}

inline uint32_t swap_field(uint32_t value, uint32_t width) { return __builtin_bswap32(value) >> (32 - 8 * width); }

inline uint32_t payload_end(const Packet& packet) {
  const uint32_t end = uint32_t{packet.payload} + packet.payload_length;
  return end < packet.length ? end : packet.length;
}

/// RFC 2474 3: the upper six bits of IPv4's type of service, and of IPv6's traffic class; in the upper bits of a byte.
uint8_t code_point(const uint8_t* ip) {
  return static_cast<uint8_t>(ip[0] >> 4 == 4 ? ip[1] & 0xfc : (load_be16(ip) & 0x0fc0) >> 4);
}

}  // namespace

/// What conditions are held against: a frame, or a message that came in one.
struct Classifier::Subject {
  const Packet& packet;
  const std::span<const uint8_t>* message;
  uint32_t payload_at;  ///< offset of the payload in the frame

  /// The bytes that offsets of `base` count from. `own` has room for what no header holds as it is.
  Bytes bytes(Base base, uint8_t (&own)[4]) const {
    switch (base) {
      case Base::payload:
        return message != nullptr ? Bytes{message->data(), static_cast<uint32_t>(message->size())}
                                  : part(payload_at, payload_end(packet));
      case Base::tcp:
        return part(packet.l4, packet.length);
      case Base::length:
        store_be32(own, packet.length);
        return {own, 4};
      case Base::vlan:
        store_be32(own, packet.tag);
        return {own, packet.tag == 0 ? 0u : 4u};
      case Base::frame:
        return part(0, packet.length);
      default:
        return ip_bytes(base, own);
    }
  }

 private:
  Bytes part(uint32_t start, uint32_t end) const { return {packet.data + start, start < end ? end - start : 0}; }

  Bytes ip_bytes(Base base, uint8_t (&own)[4]) const {
    const Bytes ip = part(packet.l3, packet.length);
    if (base == Base::ip) return ip;
    const uint32_t version = ip.length < 2 ? 0 : ip.at[0] >> 4;
    if (base == Base::ipv4) return {ip.at, version == 4 ? ip.length : 0};
    if (base == Base::ipv6) return {ip.at, version == 6 ? ip.length : 0};
    if (version != 4 && version != 6) return {own, 0};
    own[0] = code_point(ip.at);
    return {own, 1};
  }
};

bool Classifier::listed(const Condition& condition, uint32_t value) const {
  const uint32_t* values = lists_.data() + condition.low;
  for (uint32_t i = 0; i < condition.list_length; ++i) {
    if (values[i] == value) return true;
  }
  return false;
}

bool Classifier::in_network(const Condition& condition, const uint8_t* address) const {
  const uint32_t* const network = lists_.data() + condition.low;
  const uint32_t* const mask = network + kNetworkWords / 2;
  uint32_t other = 0;
  for (uint32_t i = 0; i < kNetworkWords / 2; ++i) other |= (load_be32(address + 4 * i) ^ network[i]) & mask[i];
  return other == 0;
}

/// Any condition, as the table says it.
[[gnu::noinline]] bool Classifier::holds_slowly(const Condition& condition, const Subject& subject) const {
  const bool negated = (condition.flags & kNot) != 0;
  const Packet& packet = subject.packet;
  if (condition.base == Base::filter) return filters_[condition.low].accepts(packet.data, packet.length) != negated;
  uint8_t own[4];
  const Bytes base = subject.bytes(condition.base, own);
  if (condition.offset + condition.width > base.length) return false;
  const uint8_t* const at = base.at + condition.offset;
  if (condition.width == kNetworkWidth) return in_network(condition, at) != negated;
  uint32_t value = read_field(at, condition.width);
  if (condition.flags & kLittleEndian) value = swap_field(value, condition.width);
  value &= condition.mask;
  const bool inside = condition.flags & kList ? listed(condition, value) : value - condition.low <= condition.span;
  return inside != negated;
}

bool Classifier::holds_slowly(const Condition& condition, const Packet& packet) const {
  const uint32_t payload = fixed_payload_ ? packet.l4 + uint32_t{payload_at_} : packet.payload;
  return holds_slowly(condition, Subject{packet, nullptr, payload});
}

inline uint32_t Classifier::Step::start(const Packet& packet) const {
  uint16_t start;
  std::memcpy(&start, reinterpret_cast<const uint8_t*>(&packet) + start_at, sizeof(start));
  return start;
}

inline bool Classifier::Step::has(uint32_t value) const { return (value & mask) - low <= span; }

/// The four bytes that end with the field; false: the frame ends before.
inline bool Classifier::Step::read(const Packet& packet, uint32_t& value) const {
  const uint32_t end = start(packet) + static_cast<uint32_t>(field_end);
  if (end > packet.length) [[unlikely]]
    return false;
  value = load_be32(packet.data + end - 4);
  return true;
}

inline bool Classifier::holds(const Step& step, const Packet& packet) const {
  uint32_t value;
  if (step.way == Way::bytes) return step.read(packet, value) && step.has(value);
  if (step.way == Way::length) return step.has(packet.length);
  if (step.way == Way::filter) return step.has(filters_[step.of].accepts(packet.data, packet.length));
  return holds_slowly(conditions_[step.of], packet);
}

/// The rule whose steps begin there; kNoIndex: one of them does not hold.
inline uint32_t Classifier::follow(uint32_t first, const Packet& packet) const {
  const Step* step = &steps_[first];
  while (step->way != Way::matched && holds(*step, packet)) ++step;
  return step->way == Way::matched ? step->of : kNoIndex;
}

/// Of the rules of a run, those whose first condition may hold are tried, in their order. kNoIndex: none matches.
uint32_t Classifier::match_run(const Step& run, const Packet& packet) const {
  uint32_t value;
  if (!run.read(packet, value)) return kNoIndex;
  const Index& index = indexes_[run.of];
  for (uint64_t left = index.candidates[(value & run.mask) >> index.shift & 0xff]; left != 0; left &= left - 1) {
    const uint32_t rule = follow(index.steps[static_cast<uint32_t>(__builtin_ctzll(left))], packet);
    if (rule != kNoIndex) return rule;
  }
  return kNoIndex;
}

/// Of the rules of a sweep, those whose first condition holds are tried, in their order. kNoIndex: none matches.
template <typename Holds>
inline uint32_t Classifier::match_first(const Step& sweep, const Packet& packet, Holds first_holds) const {
  const Step* const last = &sweep + sweep.of;
  for (const Step* head = &sweep + 1; head <= last; ++head) {
    if (!first_holds(*head)) [[likely]]
      continue;
    const uint32_t rule = follow(head->next, packet);
    if (rule != kNoIndex) return rule;
  }
  return kNoIndex;
}

/// In a frame that holds the furthest field of a sweep, no other field needs a bound of its own.
uint32_t Classifier::match_sweep(const Step& sweep, const Packet& packet) const {
  const uint32_t start = sweep.start(packet);
  if (start + static_cast<uint32_t>(sweep.field_end) > packet.length) {
    return match_first(sweep, packet, [&packet, data = packet.data, length = packet.length](const Step& head) {
      const uint32_t end = head.start(packet) + static_cast<uint32_t>(head.field_end);
      return end <= length && head.has(load_be32(data + end - 4));
    });
  }
  const uint8_t* const header = packet.data + start;
  return match_first(sweep, packet, [=](const Step& head) {
    return head.has(load_be32(header + head.field_end - 4));
  });
}

uint32_t Classifier::match(const Packet& packet) const {
  if (packet.l4 == 0) [[unlikely]]
    return kNoIndex;
  for (const Step* head = heads_.data();; ++head) {
    uint32_t rule = kNoIndex;
    if (head->way < Way::run) {
      if (holds(*head, packet)) rule = follow(head->next, packet);
    } else if (head->way == Way::run) {
      rule = match_run(*head, packet);
    } else if (head->way == Way::sweep) {
      rule = match_sweep(*head, packet);
      head += head->of;
    } else {
      return head->of;
    }
    if (rule != kNoIndex) return rule;
  }
}

uint8_t Classifier::classify(const Packet& packet, uint64_t* hits) const {
  const uint32_t rule = match(packet);
  if (rule == kNoIndex) return 0;
  ++hits[rule];
  return rule_level(rule);
}

uint8_t Classifier::classify_message(std::span<const uint8_t> message, const Packet& carrier) const {
  if (fixed_payload_) return carrier.level;
  const uint8_t* const end = carrier.data + carrier.length;
  const bool inside = message.data() >= carrier.data && message.data() + message.size() <= end;
  // Steps look at the frame's end only: what they would see of the next message must lie behind all that rules ask for.
  if (!inside || message.size() < reach_) return classify_bytes(message, carrier);
  Packet part = carrier;
  part.payload = static_cast<uint16_t>(message.data() - carrier.data);
  part.payload_length = static_cast<uint16_t>(message.size());
  return rule_level(match(part));
}

uint8_t Classifier::classify_bytes(std::span<const uint8_t> message, const Packet& carrier) const {
  const Subject subject{carrier, &message, 0};
  for (uint32_t rule = 0; rule < rules(); ++rule) {
    bool all = true;
    for (uint32_t i = 0; all && i < rules_[rule].count; ++i) {
      all = holds_slowly(conditions_[rules_[rule].first + i], subject);
    }
    if (all) return rules_[rule].level;
  }
  return default_level_;
}

}  // namespace qstack
