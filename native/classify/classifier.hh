// Classifier: an immutable table of rules; the first that matches a frame gives its level, else the default does.
//
// In: a table (rule_table.hh) once, then parsed frames: data, length, l3, l4, payload, payload_length are set, l3
// is behind an Ethernet header without a tag, and the payload ends where the frame does (locate.hh).
// Out: a level; 0 for whatever is not TCP (l4 == 0), because ARP and ICMP are control. Invariant: nothing outside the
// frame is read. A condition that would read beyond it is false, a negated one too: what is not there is unknown,
// and `payload[5] != 1` must not match a bare ACK. Offsets in a payload follow the parsed header, unless the table
// says that the payload starts N bytes behind the start of the TCP header (QStack's -i).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "native/classify/packet_filter.hh"
#include "native/classify/rule_table.hh"
#include "native/mempool/packet.hh"

namespace qstack {

class Classifier {
 public:
  /// No rules, one level: every frame has level 0.
  Classifier() = default;

  /// Checks and compiles a table. The error text is one sentence that names what is wrong and where.
  static std::variant<Classifier, std::string> load(std::span<const uint8_t> table);

  uint8_t classify(const Packet& packet) const { return rule_level(match(packet)); }

  /// The same, and counts the rule that matched: `hits` has rules() + 1 counters, the last is the default's.
  uint8_t classify(const Packet& packet, uint64_t* hits) const;

  /// Level of a message that begins inside a frame (or was put together from several): payload conditions see
  /// `message` from its first byte, all others the frame that it arrived in.
  uint8_t classify_bytes(std::span<const uint8_t> message, const Packet& carrier) const;

  /// The same; `message` lies in `carrier` or was put together. What -i says about frames cannot be said of messages: they
  /// have the level of their carrier then.
  uint8_t classify_message(std::span<const uint8_t> message, const Packet& carrier) const;

  /// Bytes of a message from its first one on that decide its level.
  uint32_t reach() const { return reach_; }

  /// Number of the rule that matches; rules() if none does. kNoIndex for a frame that is not TCP.
  uint32_t match(const Packet& packet) const;

  /// Level that rule number `rule` gives (rules(): the default; kNoIndex: control).
  uint8_t rule_level(uint32_t rule) const {
    return rule < rules_.size() ? rules_[rule].level : rule == kNoIndex ? uint8_t{0} : default_level_;
  }

  uint32_t rules() const { return static_cast<uint32_t>(rules_.size()); }
  uint8_t levels() const { return levels_; }

 private:
  using Base = rule_table::Base;

  struct Rule {
    uint16_t first;  ///< its conditions are conditions_[first .. first + count)
    uint8_t count;
    uint8_t level;
  };

  struct Condition {
    Base base;
    uint8_t width;
    uint8_t flags;
    uint8_t list_length;
    uint32_t offset;
    uint32_t mask;
    uint32_t low;  ///< of a list or network: index of its first value in lists_; of a filter: its number
    uint32_t span;
  };

  struct Bytes {
    const uint8_t* at;
    uint32_t length;
  };

  /// What a step asks; the ways of conditions stand first, in the order of what they cost.
  enum class Way : uint8_t { bytes, length, slow, filter, run, sweep, matched };

  /// What match() walks over.
  ///
  ///   heads_   rule 0 │ run of rules 1 … 9 │ sweep of 4 │ rule 10 │ rule 11 │ rule 12 │ rule 13 │ … │ the default
  ///   steps_   conditions of rule 0 behind its first, matched: rule 0 │ all conditions of rule 1, matched: rule 1 │ …
  ///
  /// A head is the first condition of a rule, or a `run`: rules that begin with the same field. Heads lie one behind the
  /// other, so that the next one is read while this one is judged. A `sweep` says that the heads behind it are fields, and
  /// where the furthest ends. Conditions that are a range of big-endian bytes have their place worked out as far as it can be.
  struct Step {
    Way way = Way::slow;
    uint8_t start_at = 0;   ///< where in Packet the offset of its header stands
    uint32_t next = 0;      ///< of a head: number of the step that follows if it holds
    int32_t field_end = 0;  ///< behind the field's last byte, from its header; negative in front of an IP header
    uint32_t mask = 0;
    uint32_t low = 0;
    uint32_t span = 0;
    uint32_t of = 0;  ///< number of the condition or filter; of a run, its index; of a sweep, its heads; of `matched`, the rule

    uint32_t start(const Packet& packet) const;
    bool has(uint32_t value) const;
    bool read(const Packet& packet, uint32_t& value) const;
    bool same_field(const Step& other) const;
  };

  /// For each value of one byte of the field: the rules of the run that may match, one bit each.
  struct Index {
    std::array<uint64_t, 256> candidates{};
    std::vector<uint32_t> steps;  ///< where each rule begins
    uint32_t shift = 0;           ///< of that byte in the field
  };

  struct Subject;
  class Reader;

  void quicken();
  void order_conditions();
  Step step_of(const Condition& condition) const;
  Step with_place(const Condition& condition, Step step) const;
  Step step_at(uint32_t condition) const;
  Step head_of(uint32_t rule) const;
  uint32_t add_steps(uint32_t rule, uint32_t from);
  void add_head(uint32_t rule);
  void add_run(uint32_t first, uint32_t end);
  static void add_candidates(Index& index, const Step& step, uint32_t bit);
  void add_sweeps();

  uint32_t follow(uint32_t first, const Packet& packet) const;
  uint32_t match_run(const Step& run, const Packet& packet) const;
  uint32_t match_sweep(const Step& sweep, const Packet& packet) const;
  template <typename Holds>
  uint32_t match_first(const Step& sweep, const Packet& packet, Holds first_holds) const;
  bool holds(const Step& step, const Packet& packet) const;
  bool holds_slowly(const Condition& condition, const Packet& packet) const;
  bool holds_slowly(const Condition& condition, const Subject& subject) const;
  bool listed(const Condition& condition, uint32_t value) const;
  bool in_network(const Condition& condition, const uint8_t* address) const;

  std::vector<Rule> rules_;
  std::vector<Condition> conditions_;
  std::vector<uint32_t> lists_;
  std::vector<PacketFilter> filters_;
  std::vector<Step> heads_{Step{Way::matched}};
  std::vector<Step> steps_;
  std::vector<Index> indexes_;
  uint32_t reach_ = 0;
  uint16_t payload_at_ = 0;
  bool fixed_payload_ = false;
  uint8_t levels_ = 1;
  uint8_t default_level_ = 0;
};

}  // namespace qstack
