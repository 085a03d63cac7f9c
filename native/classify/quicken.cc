// Classifier::quicken: rules as steps, with the fast form of the conditions that have one, and indexes over rules that begin
// with one field.
//
// In: rules and conditions that load() has checked. Out: steps_ and indexes_; they change what a frame costs, never its level. A condition has a fast form when it is a range of big-endian bytes; a negated range is the range around it, and
// one little-endian value is one big-endian value.
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

uint32_t swapped(uint32_t value, uint32_t width) { return __builtin_bswap32(value) >> (32 - 8 * width); }

}  // namespace

Classifier::Step Classifier::step_of(uint32_t number) const {
  const Condition& condition = conditions_[number];
  const bool swaps = (condition.flags & kLittleEndian) != 0;
  const bool negated = (condition.flags & kNot) != 0;
  Step step{.of = number};
  if ((condition.flags & kList) != 0 || condition.width > 4 || condition.base == Base::filter) return step;
  // What holds for every value has no range around it; a little-endian range is none of big-endian values, and a value
  // wider than its field would lose what makes it so.
  if (negated && condition.span == ~0u) return step;
  if (swaps && (condition.span != 0 || (condition.low & ~condition.mask) != 0)) return step;
  Step quick = step;
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
  const Step slow{.of = step.of};
  step.way = Way::bytes;
  step.field_end = condition.offset + condition.width;
  switch (condition.base) {
    case Base::frame:
      if (step.field_end < 4) return slow;
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
      return condition.offset == 0 && condition.width == 4 && !(condition.flags & kLittleEndian) ? step : slow;
    default:
      return slow;
  }
}

bool Classifier::Step::same_field(const Step& other) const {
  return way == Way::bytes && other.way == way && start_at == other.start_at && field_end == other.field_end &&
         mask == other.mask;
}

Classifier::Step Classifier::first_step(uint32_t rule) const {
  return rules_[rule].count == 0 ? Step{} : step_of(rules_[rule].first);
}

void Classifier::add_rule(uint32_t rule) {
  const Rule& of = rules_[rule];
  for (uint32_t i = 0; i < of.count; ++i) {
    Step step = step_of(of.first + i);
    step.skip = of.count - i + 1;
    steps_.push_back(step);
  }
  steps_.push_back({.way = Way::matched, .of = rule});
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
  const size_t at = steps_.size();
  Step run = first_step(first);
  Index index;
  index.shift = run.mask == 0 ? 0 : static_cast<uint32_t>(std::countr_zero(run.mask));
  run.way = Way::run;
  run.of = static_cast<uint32_t>(indexes_.size());
  steps_.push_back(run);
  for (uint32_t rule = first; rule < end; ++rule) {
    add_candidates(index, first_step(rule), rule - first);
    index.steps.push_back(static_cast<uint32_t>(steps_.size()));
    add_rule(rule);
  }
  steps_[at].skip = static_cast<uint32_t>(steps_.size() - at);
  indexes_.push_back(std::move(index));
}

void Classifier::quicken() {
  steps_.clear();
  for (uint32_t first = 0; first < rules();) {
    uint32_t end = first + 1;
    while (end < rules() && end - first < kIndexedMax && first_step(first).same_field(first_step(end))) ++end;
    if (end - first >= kIndexedMin) add_run(first, end);
    else for (uint32_t rule = first; rule < end; ++rule) add_rule(rule);
    first = end;
  }
  steps_.push_back({.way = Way::matched, .of = rules()});
}

}  // namespace qstack
