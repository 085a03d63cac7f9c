// Options that TCP knows, by the names that C programs have for them.
#pragma once

#include <cstdint>

#include "native/tcp/options.hh"

namespace qstack::capi {

/// How the int of a C program and the value of TCP relate.
enum class OptionUnit : uint8_t {
  number,
  flag,           ///< 0, or anything else
  seconds,        ///< milliseconds for TCP
  size,           ///< what is too small or too large becomes what is possible, as in Linux
  rate,           ///< ~0: no limit
  traffic_class,  ///< DSCP above two bits that are ECN's
  hops,           ///< -1: the stack's own
};

struct OptionName {
  int level;
  int name;
  TcpOption option;
  OptionUnit unit;
};

/// Null: there is none of this name.
const OptionName* find_option(int level, int name);

/// What TCP is told; -EINVAL where no value of the option means that.
int64_t to_value(const OptionName& name, int number);
int from_value(const OptionName& name, uint32_t value);

}  // namespace qstack::capi
