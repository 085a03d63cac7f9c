// From PolicyWords (stack/native.ts) to the policy of native queues.
//
// In: the kind, the bound and the values by level. Out: a PolicyConfig; a CodedError names the first wrong option.
#pragma once

#include "native/node/options.hh"
#include "native/sched/policy_config.hh"

namespace qstack::node {

PolicyConfig read_policy(const OptionReader& options, uint32_t levels);

}  // namespace qstack::node
