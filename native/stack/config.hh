// StackConfig: everything a stack is told at its start.
#pragma once

#include "native/ip/config.hh"
#include "native/sched/policy_config.hh"
#include "native/tcp/config.hh"

namespace qstack {

struct StackConfig {
  IpConfig ip;
  TcpConfig tcp;
  PolicyConfig policy;  ///< of the RX lanes and the TX queue
  uint16_t rx_burst = 64;
  bool shared = false;  ///< the stack and the app of its number are one thread
};

}  // namespace qstack
