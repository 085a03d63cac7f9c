// guarded: the frame of every function that JavaScript calls.
//
// In: a body that may throw. Out: its value, or a JavaScript Error whose `code` is that of the CodedError.
#pragma once

#include <napi.h>

#include <functional>

#include "native/node/coded_error.hh"

namespace qstack::node {

Napi::Value guarded(const Napi::CallbackInfo& info, const std::function<Napi::Value()>& body);

/// A thread of the addon that must be joined before the process's libraries are torn down: `stop` runs when the
/// environment that loaded the addon ends, and at the exit of the process. It may run more than once.
void at_process_end(void (*stop)());

}  // namespace qstack::node
