// qst_config, read and checked.
//
// In: what a C program filled in. Out: the configuration of the stack and of its sockets, or a std::invalid_argument
// with a sentence. Nothing of the program's memory is kept.
#pragma once

#include <string>

#include "native/capi/qstack.h"
#include "native/stack/config.hh"

namespace qstack::capi {

/// Stands in netdev_layer QST_NETDEV_IP for every station that there may be.
inline constexpr MacAddress kEveryone = {0x02, 0x71, 0xff, 0xff, 0xff, 0xff};

struct InstanceConfig {
  StackConfig stack;
  std::string device;  ///< empty: frames by qst_netdev_send()
  uint32_t sockets = 0;
  uint32_t epolls = 0;
  uint32_t interests = 0;
  uint32_t rx_packets = 0;
  uint32_t tx_packets = 0;
  bool manual_clock = false;
  bool ip_layer = false;
  int (*wait)(void*, uint64_t) = nullptr;
  void* wait_argument = nullptr;
};

InstanceConfig read_config(const qst_config& config);

}  // namespace qstack::capi
