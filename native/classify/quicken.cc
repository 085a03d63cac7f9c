// Classifier::quicken: rules as steps, with the fast form of the conditions that have one, indexes over rules that begin with
// one field, and sweeps over rules that begin with a field each.
//
// In: rules and conditions that load() has checked. Out: heads_, steps_ and indexes_, and conditions in the order of their
// cost; they change what a frame costs, never its level. A condition has a fast form when it is a range of big-endian bytes; a
// negated range is the range around it, and one little-endian value is one big-endian value.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

#include "native/classify/classifier.hh"
#include "native/wire/ethernet.hh"

namespace qstack {

using namespace rule_table;

namespace {

/// Fewer rules are tried one after the other.
constexpr uint32_t kIndexedMin = 4;
constexpr uint32_t kIndexedMax = 64;
constexpr uint32_t kSweptMin = 4;

uint32_t swapped(uint32_t value, uint32_t width) { return __builtin_bswap32(value) >> (32 - 8 * width); }

}  // namespace

Classifier::Step Classifier::step_of(const Condition& condition) const {
  const bool swaps = (condition.flags & kLittleEndian) != 0;
  const bool negated = (condition.flags & kNot) != 0;
  if (condition.base == Base::filter) return {.way = Way::filter, .mask = 1, .low = negated ? 0u : 1u, .of = condition.low};
  if ((condition.flags & kList) != 0 || condition.width > 4) return {};
  // What holds for every value has no range around it; a little-endian range is none of big-endian values, and a value
  // wider than its field would lose what makes it so.
  if (negated && condition.span == ~0u) return {};
  if (swaps && (condition.span != 0 || (condition.low & ~condition.mask) != 0)) return {};
  Step quick;
  quick.mask = swaps ? swapped(condition.mask, condition.width) : condition.mask;
  quick.low = swaps ? swapped(condition.low, condition.width) : condition.low;
  quick.span = condition.span;
  if (negated) {
    quick.low += condition.span + 1;
    quick.span = ~condition.span - 1;
  }
  return with_place(condition, quick);
}

/// Where the field ends: behind which of the packet's own offsets. The IP header of a segment begins behind the Ethernet
/// header, so that offsets of the frame count from there, too.
Classifier::Step Classifier::with_place(const Condition& condition, Step step) const {
  step.way = Way::bytes;
  step.field_end = static_cast<int32_t>(condition.offset + condition.width);
  switch (condition.base) {
    case Base::frame:
      if (step.field_end < 4) return {};
      step.start_at = offsetof(Packet, l3);
      step.field_end -= kEthernetHeader;
      return step;
    case Base::ip:
      step.start_at = offsetof(Packet, l3);
      return step;
    case Base::tcp:
      step.start_at = offsetof(Packet, l4);
      return step;
    case Base::payload:
      step.start_at = fixed_payload_ ? offsetof(Packet, l4) : offsetof(Packet, payload);
      step.field_end += fixed_payload_ ? payload_at_ : 0;
      return step;
    case Base::length:
      step.way = Way::length;
      return condition.offset == 0 && condition.width == 4 && !(condition.flags & kLittleEndian) ? step : Step{};
    default:
      return {};
  }
}

bool Classifier::Step::same_field(const Step& other) const {
  return way == Way::bytes && other.way == way && start_at == other.start_at && field_end == other.field_end &&
         mask == other.mask;
}

Classifier::Step Classifier::step_at(uint32_t condition) const {
  Step step = step_of(conditions_[condition]);
  if (step.way != Way::filter) step.of = condition;
  return step;
}

Classifier::Step Classifier::head_of(uint32_t rule) const {
  return rules_[rule].count == 0 ? Step{.way = Way::matched, .of = rule} : step_at(rules_[rule].first);
}

/// Steps of a rule's conditions from number `from` on. Returns the number of the first step.
uint32_t Classifier::add_steps(uint32_t rule, uint32_t from) {
  const auto first = static_cast<uint32_t>(steps_.size());
  for (uint32_t i = from; i < rules_[rule].count; ++i) steps_.push_back(step_at(rules_[rule].first + i));
  steps_.push_back({.way = Way::matched, .of = rule});
  return first;
}

void Classifier::add_head(uint32_t rule) {
  Step head = head_of(rule);
  head.next = add_steps(rule, 1);
  heads_.push_back(head);
}

/// The values of the index's byte that some value of the range has.
void Classifier::add_candidates(Index& index, const Step& step, uint32_t bit) {
  const uint64_t first = step.low >> index.shift;
  const uint64_t last = (uint64_t{step.low} + step.span) >> index.shift;
  const uint64_t more = last - first < 256 ? last - first : 255;
  for (uint64_t i = 0; i <= more; ++i) {
    const auto value = static_cast<uint32_t>((first + i) << index.shift);
    index.candidates[value >> index.shift & 0xff] |= uint64_t{1} << bit;
  }
}

void Classifier::add_run(uint32_t first, uint32_t end) {
  Step run = head_of(first);
  Index index;
  index.shift = run.mask == 0 ? 0 : static_cast<uint32_t>(std::countr_zero(run.mask));
  run.way = Way::run;
  run.of = static_cast<uint32_t>(indexes_.size());
  heads_.push_back(run);
  for (uint32_t rule = first; rule < end; ++rule) {
    add_candidates(index, head_of(rule), rule - first);
    index.steps.push_back(add_steps(rule, 0));
  }
  indexes_.push_back(std::move(index));
}

/// Puts a sweep in front of heads that are fields. Its place is that of the furthest of them; where their headers differ it
/// is beyond every frame, and each has its own bound.
void Classifier::add_sweeps() {
  constexpr int32_t kBeyond = 1 << 24;
  const auto is_field = [](const Step& head) { return head.way == Way::bytes; };
  std::vector<Step> heads;
  for (auto first = heads_.begin(); first != heads_.end();) {
    const auto end = std::find_if_not(first, heads_.end(), is_field);
    Step sweep{.way = Way::sweep, .start_at = first->start_at, .field_end = first->field_end};
    sweep.of = static_cast<uint32_t>(end - first);
    for (auto head = first; head != end; ++head) {
      sweep.field_end = std::max(sweep.field_end, head->start_at == sweep.start_at ? head->field_end : kBeyond);
    }
    if (sweep.of >= kSweptMin) heads.push_back(sweep);
    const auto next = std::find_if(end, heads_.end(), is_field);
    heads.insert(heads.end(), first, next);
    first = next;
  }
  heads_ = std::move(heads);
}

/// What costs little is asked first: a rule is the conjunction of its conditions.
void Classifier::order_conditions() {
  const auto costs_less = [this](const Condition& a, const Condition& b) { return step_of(a).way < step_of(b).way; };
  for (const Rule& rule : rules_) {
    const auto first = conditions_.begin() + rule.first;
    std::stable_sort(first, first + rule.count, costs_less);
  }
}

void Classifier::quicken() {
  order_conditions();
  heads_.clear();
  for (uint32_t first = 0; first < rules();) {
    uint32_t end = first + 1;
    while (end < rules() && end - first < kIndexedMax && head_of(first).same_field(head_of(end))) ++end;
    if (end - first >= kIndexedMin) add_run(first, end);
    else for (uint32_t rule = first; rule < end; ++rule) add_head(rule);
    first = end;
  }
  heads_.push_back({.way = Way::matched, .of = rules()});
  add_sweeps();
}

}  // namespace qstack
