// The stacks of this process, by number.
//
// In: an instance. Out: its number, and the instance again in any thread. Invariant: when the process ends, by whatever
// way, every stack thread has been joined before libraries are torn down.
#pragma once

#include "native/node/stack_instance.hh"

namespace qstack::node {

uint32_t add_instance(std::shared_ptr<StackInstance> instance);
/// Throws CodedError QST_ERR_STACK_DESTROYED for a number that names none.
std::shared_ptr<StackInstance> find_instance(uint32_t id);
/// Destroys it; pollers that still hold it find it empty.
void remove_instance(uint32_t id);
/// Stops and joins every stack thread of the process.
void stop_all();

}  // namespace qstack::node
