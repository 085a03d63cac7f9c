// Notation: segments written as scripts write them. In: a Segment in the script's numbers. Out: one line of text.
#pragma once

#include "test/script/script.hh"

namespace qstack::script {

std::string to_text(const Segment& segment);
/// Seconds, with as many decimals as it takes.
std::string to_text(Nanos time);

}  // namespace qstack::script
