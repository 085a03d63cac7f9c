// touch_progress: a JavaScript function as what touch() tells its progress to.
#pragma once

#include <napi.h>

#include "native/stack/touch.hh"

namespace qstack::node {

/// Argument `index`, where it is a function: called with the number of bytes, in the call that is under way.
inline TouchProgress touch_progress(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsFunction()) return {};
  return [env = info.Env(), tell = info[index].As<Napi::Function>()](uint64_t bytes) {
    tell.Call({Napi::Number::New(env, static_cast<double>(bytes))});
  };
}

}  // namespace qstack::node
