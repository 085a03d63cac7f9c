#include "native/classify/classifier.hh"

#include "native/wire/bytes.hh"

namespace qstack {

using namespace rule_table;

/// Start and room of each base. The frame's length is four bytes of its own, so that it is read like any field; so are the
/// tag and the code point, which few rules ask for.
struct Classifier::View {
  const Packet& packet;
  Bytes bases[static_cast<size_t>(Base::filter)];
  uint8_t length[4];
  uint8_t tag[4];
  uint8_t dscp[1];

  View(const Packet& of, uint32_t used) : packet(of) {
    const uint32_t frame = packet.length;
    set(Base::frame, 0, frame);
    set(Base::ip, packet.l3, frame);
    set(Base::tcp, packet.l4, frame);
    set(Base::payload, packet.payload, payload_end(packet));
    store_be32(length, frame);
    bases[static_cast<size_t>(Base::length)] = {length, 4};
    if (used >> static_cast<uint32_t>(Base::ipv4) != 0) set_rare();
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  static uint32_t payload_end(const Packet& packet) {
    const uint32_t end = uint32_t{packet.payload} + packet.payload_length;
    return end < packet.length ? end : packet.length;
  }

  Bytes& at(Base base) { return bases[static_cast<size_t>(base)]; }

  void set(Base base, uint32_t start, uint32_t end) {
    at(base) = {packet.data + start, start < end ? end - start : 0};
  }

  void set_rare() {
    const Bytes ip = at(Base::ip);
    const uint32_t version = ip.length < 2 ? 0 : ip.at[0] >> 4;
    at(Base::ipv4) = {ip.at, version == 4 ? ip.length : 0};
    at(Base::ipv6) = {ip.at, version == 6 ? ip.length : 0};
    store_be32(tag, packet.tag);
    at(Base::vlan) = {tag, packet.tag == 0 ? 0u : 4u};
    // RFC 2474 3: the upper six bits of IPv4's type of service, and of IPv6's traffic class.
    dscp[0] = version == 4 ? ip.at[1] & 0xfc : version == 6 ? static_cast<uint8_t>((load_be16(ip.at) & 0x0fc0) >> 4) : 0;
    at(Base::dscp) = {dscp, version == 4 || version == 6 ? 1u : 0u};
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

bool Classifier::in_network(const Condition& condition, const uint8_t* address) const {
  const uint32_t* const network = lists_.data() + condition.low;
  const uint32_t* const mask = network + kNetworkWords / 2;
  uint32_t other = 0;
  for (uint32_t i = 0; i < kNetworkWords / 2; ++i) other |= (load_be32(address + 4 * i) ^ network[i]) & mask[i];
  return other == 0;
}

/// Everything but a plain range in network order.
bool Classifier::special_holds(const Condition& condition, const View& view) const {
  const bool negated = (condition.flags & kNot) != 0;
  if (condition.base == Base::filter) {
    return filters_[condition.low].accepts(view.packet.data, view.packet.length) != negated;
  }
  const uint8_t* const at = view.bases[static_cast<size_t>(condition.base)].at + condition.offset;
  if (condition.width == kNetworkWidth) return in_network(condition, at) != negated;
  uint32_t value = read_field(at, condition.width);
  if (condition.flags & kLittleEndian) value = swap_field(value, condition.width);
  value &= condition.mask;
  const bool inside = condition.flags & kList ? listed(condition, value) : value - condition.low <= condition.span;
  return inside != negated;
}

inline bool Classifier::holds(const Condition& condition, const View& view) const {
  if (condition.base == Base::filter) [[unlikely]]
    return special_holds(condition, view);
  const Bytes& base = view.bases[static_cast<size_t>(condition.base)];
  if (condition.offset + condition.width > base.length) return false;
  if (condition.flags != 0 || condition.width == kNetworkWidth) return special_holds(condition, view);
  const uint32_t value = read_field(base.at + condition.offset, condition.width);
  return (value & condition.mask) - condition.low <= condition.span;
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
  View view(packet, bases_);
  if (fixed_payload_) view.set(Base::payload, packet.l4 + payload_at_, View::payload_end(packet));
  return match(view);
}

uint8_t Classifier::classify(const Packet& packet, uint64_t* hits) const {
  const uint32_t rule = match(packet);
  if (rule == kNoIndex) return 0;
  ++hits[rule];
  return rule_level(rule);
}

uint8_t Classifier::classify_bytes(std::span<const uint8_t> message, const Packet& carrier) const {
  View view(carrier, bases_);
  view.at(Base::payload) = {message.data(), static_cast<uint32_t>(message.size())};
  return rule_level(match(view));
}

}  // namespace qstack
