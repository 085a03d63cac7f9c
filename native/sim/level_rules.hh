// Rules for messages that say their level: one byte of the message is it.
#pragma once

#include <algorithm>
#include <variant>
#include <vector>

#include "native/classify/classifier.hh"
#include "native/classify/rule_table.hh"

namespace qstack {

/// `payload[at] == L -> level L`, for each of `levels`; what matches none has the lowest.
inline Classifier level_by_byte(uint16_t at, uint8_t levels) {
  using namespace rule_table;
  std::vector<uint8_t> table(kHeaderBytes + levels * (kRuleBytes + kConditionBytes));
  const uint8_t header[] = {'Q', 'S', 'C', 'L', kVersion, levels, static_cast<uint8_t>(levels - 1), 0, levels, 0, levels};
  std::copy(std::begin(header), std::end(header), table.begin());
  for (uint8_t level = 0; level < levels; ++level) {
    uint8_t* const rule = table.data() + kHeaderBytes + level * kRuleBytes;
    rule[0] = level;
    rule[1] = 1;
    uint8_t* const condition = table.data() + kHeaderBytes + levels * kRuleBytes + level * kConditionBytes;
    condition[0] = static_cast<uint8_t>(Base::payload);
    condition[1] = 1;
    condition[4] = static_cast<uint8_t>(at);
    condition[5] = static_cast<uint8_t>(at >> 8);
    condition[8] = 0xff;
    condition[12] = level;
  }
  return std::get<Classifier>(Classifier::load(table));
}

}  // namespace qstack
