// State: what a script's assertions may ask: TCP_INFO of the newest connection (its sums after setsockopt(…, TCP_SUMS, …)),
// urgent_bytes and urgent_signals (how often the app was told), `unread`, and the stack's counters by their names.
#pragma once

#include "native/stack/stack.hh"
#include "test/script/sockets.hh"

namespace qstack::script {

/// Nothing: there is no such name.
std::optional<int64_t> state_named(const std::string& name, Stack& stack, const Sockets& sockets);

}  // namespace qstack::script
