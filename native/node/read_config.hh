// From the options of createStack and listen to the core's configuration.
//
// In: what stack/native.ts describes. Out: InstanceConfig, ListenerConfig; a CodedError names the first wrong option.
#pragma once

#include "native/node/options.hh"
#include "native/node/stack_instance.hh"

namespace qstack::node {

InstanceConfig read_stack(const OptionReader& options);
ListenerConfig read_listener(const OptionReader& options);
StackThreadConfig read_run(const OptionReader& options);
/// `cores`: one for each stack.
std::vector<int> read_cores(const OptionReader& options);

}  // namespace qstack::node
