// The level of one frame, without a stack: for tests and for `explain`.
//
// In: a classifier and the bytes of an Ethernet frame. Out: the level that a stack would give it, were it addressed to
// the stack. Headers are located as IpLayer and Stack do it; checksums and addresses are not looked at.
#pragma once

#include <span>

#include "native/classify/classifier.hh"

namespace qstack::node {

uint8_t classify_frame(const Classifier& classifier, std::span<const uint8_t> frame);

}  // namespace qstack::node
