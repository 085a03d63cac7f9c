// Classifier::load: everything that a table may be wrong in is found here, so that classify() needs no checks but the
// frame's own bounds.
#include <algorithm>
#include <optional>

#include "native/classify/classifier.hh"

namespace qstack {

using namespace rule_table;

namespace {

uint16_t load_le16(const uint8_t* at) { return static_cast<uint16_t>(at[0] | at[1] << 8); }
uint32_t load_le32(const uint8_t* at) { return load_le16(at) | uint32_t{load_le16(at + 2)} << 16; }

std::string number(uint64_t value) { return std::to_string(value); }

}  // namespace

/// The first bytes of a table. Named, for Classifier::Reader holds one.
struct ClassifierHeader {
  uint8_t version, levels, default_level, options;
  uint16_t rules, conditions, list_values, payload_at;
  uint32_t text_bytes;

  explicit ClassifierHeader(const uint8_t* at)
      : version(at[4]),
        levels(at[5]),
        default_level(at[6]),
        options(at[7]),
        rules(load_le16(at + 8)),
        conditions(load_le16(at + 10)),
        list_values(load_le16(at + 12)),
        payload_at(load_le16(at + 14)),
        text_bytes(load_le32(at + 16)) {}

  size_t bytes() const {
    return kHeaderBytes + size_t{rules} * kRuleBytes + size_t{conditions} * kConditionBytes + size_t{list_values} * 4 +
           text_bytes;
  }
};

namespace {

using Fault = std::optional<std::string>;

Fault header_fault(const ClassifierHeader& header, size_t size) {
  if (header.version != kVersion)
    return "classifier table version " + number(header.version) + " is not " + number(kVersion);
  if (header.levels < 1 || header.levels > kLevelsMax)
    return "classifier table has " + number(header.levels) + " levels; 1 to " + number(kLevelsMax) + " are possible";
  if (header.default_level >= header.levels)
    return "default level " + number(header.default_level) + " is not below " + number(header.levels);
  if (header.options & ~kPayloadAt) return "classifier table has unknown options " + number(header.options);
  if (header.rules > kRulesMax) return number(header.rules) + " rules; at most " + number(kRulesMax) + " are possible";
  if (header.conditions > kConditionsMax)
    return number(header.conditions) + " conditions; at most " + number(kConditionsMax) + " are possible";
  if (header.payload_at > kOffsetMax || (!(header.options & kPayloadAt) && header.payload_at != 0))
    return "payload offset " + number(header.payload_at) + " is wrong; 0 to " + number(kOffsetMax) + " with its option";
  if (size != header.bytes())
    return "classifier table has " + number(size) + " bytes; its header says " + number(header.bytes());
  return std::nullopt;
}

uint32_t mask_max(uint8_t width) { return width == 4 ? ~0u : (1u << (8 * width)) - 1; }

}  // namespace

/// Reads rules and conditions of a table whose header and size are right.
class Classifier::Reader {
 public:
  Reader(Classifier& out, const ClassifierHeader& header, const uint8_t* table)
      : out_(out),
        header_(header),
        rules_(table + kHeaderBytes),
        conditions_(rules_ + header.rules * kRuleBytes),
        lists_(conditions_ + header.conditions * kConditionBytes),
        text_(reinterpret_cast<const char*>(lists_ + header.list_values * 4)) {}

  Fault read() {
    out_.levels_ = header_.levels;
    out_.default_level_ = header_.default_level;
    out_.fixed_payload_ = (header_.options & kPayloadAt) != 0;
    out_.payload_at_ = header_.payload_at;
    if (Fault fault = read_conditions()) return fault;
    read_lists();
    return read_rules();
  }

 private:
  Fault read_conditions() {
    out_.conditions_.reserve(header_.conditions);
    for (uint32_t i = 0; i < header_.conditions; ++i) {
      const uint8_t* at = conditions_ + i * kConditionBytes;
      if (const char* wrong = condition_fault(at)) return "condition " + number(i) + ": " + wrong;
      Condition condition{Base{at[0]},       at[1], at[2], at[3], load_le16(at + 4), load_le32(at + 8), load_le32(at + 12),
                          load_le32(at + 16)};
      if (condition.base == Base::filter) {
        if (Fault fault = read_filter(condition)) return fault;
      }
      if (condition.base == Base::payload) out_.reach_ = std::max(out_.reach_, condition.offset + condition.width);
      out_.conditions_.push_back(condition);
    }
    return std::nullopt;
  }

  /// Puts the number of the compiled filter where its text began.
  Fault read_filter(Condition& condition) {
    const std::string text(text_ + condition.low, condition.span);
    auto compiled = PacketFilter::compile(text);
    if (std::string* const fault = std::get_if<std::string>(&compiled)) {
      return "the pcap filter \"" + text + "\" is refused by libpcap: " + *fault;
    }
    condition.low = static_cast<uint32_t>(out_.filters_.size());
    out_.filters_.push_back(std::get<PacketFilter>(std::move(compiled)));
    return std::nullopt;
  }

  const char* condition_fault(const uint8_t* at) const {
    const uint8_t width = at[1], flags = at[2], list = at[3];
    if (at[0] >= static_cast<uint8_t>(Base::count_)) return "unknown base";
    if (load_le16(at + 6) != 0) return "reserved bytes are not 0";
    if (Base{at[0]} == Base::filter) return filter_fault(at);
    if (width == kNetworkWidth) return network_fault(at);
    if (width != 1 && width != 2 && width != 4) return "the width is not 1, 2, 4 or 16";
    if (flags & ~(kLittleEndian | kNot | kList)) return "unknown flags";
    if (load_le16(at + 4) > kOffsetMax) return "the offset is beyond every frame";
    if (load_le32(at + 8) > mask_max(width)) return "the mask is wider than the field";
    if (!(flags & kList)) return list != 0 ? "a list length without a list" : nullptr;
    if (list == 0 || list > kListMax) return "a list has 1 to 16 values";
    if (load_le32(at + 16) != 0) return "a list has no span";
    const uint64_t end = uint64_t{load_le32(at + 12)} + list;
    return end > header_.list_values ? "the list lies outside of the table" : nullptr;
  }

  const char* network_fault(const uint8_t* at) const {
    if (at[2] & ~kNot || at[3] != 0 || load_le32(at + 8) != 0 || load_le32(at + 16) != 0)
      return "a network has an offset and an address";
    if (load_le16(at + 4) > kOffsetMax) return "the offset is beyond every frame";
    const uint64_t end = uint64_t{load_le32(at + 12)} + kNetworkWords;
    return end > header_.list_values ? "the network lies outside of the table" : nullptr;
  }

  const char* filter_fault(const uint8_t* at) const {
    if (at[1] != 0 || at[2] & ~kNot || at[3] != 0 || load_le16(at + 4) != 0 || load_le32(at + 8) != 0)
      return "a filter has a text and nothing else";
    const uint64_t low = load_le32(at + 12), span = load_le32(at + 16);
    if (span > kFilterTextMax) return "the filter is longer than 4096 bytes";
    return low + span > header_.text_bytes ? "the filter lies outside of the table" : nullptr;
  }

  void read_lists() {
    out_.lists_.reserve(header_.list_values);
    for (uint32_t i = 0; i < header_.list_values; ++i) out_.lists_.push_back(load_le32(lists_ + 4 * i));
  }

  Fault read_rules() {
    uint32_t first = 0;
    out_.rules_.reserve(header_.rules);
    for (uint32_t i = 0; i < header_.rules; ++i) {
      const uint8_t* at = rules_ + i * kRuleBytes;
      if (at[0] >= header_.levels) return "rule " + number(i) + ": level " + number(at[0]) + " does not exist";
      if (at[1] > kConditionsPerRuleMax) return "rule " + number(i) + ": more than 16 conditions";
      if (load_le16(at + 2) != 0) return "rule " + number(i) + ": reserved bytes are not 0";
      if (first + at[1] > header_.conditions) return "rule " + number(i) + ": its conditions are not in the table";
      out_.rules_.push_back(Rule{static_cast<uint16_t>(first), at[1], at[0]});
      first += at[1];
    }
    if (first != header_.conditions) return "the table has conditions that belong to no rule";
    return std::nullopt;
  }

  Classifier& out_;
  const ClassifierHeader& header_;
  const uint8_t* rules_;
  const uint8_t* conditions_;
  const uint8_t* lists_;
  const char* text_;
};

std::variant<Classifier, std::string> Classifier::load(std::span<const uint8_t> table) {
  if (table.size() < kHeaderBytes || load_le32(table.data()) != kMagic) return std::string("not a classifier table");
  const ClassifierHeader header(table.data());
  if (Fault fault = header_fault(header, table.size())) return *fault;
  Classifier classifier;
  if (Fault fault = Reader(classifier, header, table.data()).read()) return *fault;
  classifier.quicken();
  return classifier;
}

}  // namespace qstack
