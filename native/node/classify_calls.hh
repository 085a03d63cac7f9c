// Rules without a stack: for tests, for the configuration, and for `qstack classify`.
//
// In: tables, expressions and frames from JavaScript. Out: levels, the rule that matched, what libpcap says, what it
// costs. Headers are located as IpLayer and Stack do it; checksums and addresses are not looked at.
#pragma once

#include <napi.h>

#include <span>

#include "native/classify/classifier.hh"

namespace qstack::node {

/// A Uint8Array; it is not copied.
std::span<const uint8_t> bytes_argument(const Napi::CallbackInfo& info, size_t index, const char* name);
/// A table as a classifier. QST_ERR_CLASSIFIER_INVALID.
Classifier classifier_argument(const Napi::CallbackInfo& info, size_t index);

}  // namespace qstack::node
