// Rules for tests of messages: one byte of a message is its level.
#pragma once

#include <memory>

#include "native/classify/rule_book.hh"
#include "native/sim/level_rules.hh"

namespace qstack::test {

inline std::unique_ptr<RuleBook> rules_by_byte(uint16_t at, uint8_t levels) {
  return std::make_unique<RuleBook>(level_by_byte(at, levels));
}

}  // namespace qstack::test
