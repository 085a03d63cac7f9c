// Runner: plays a script over a stack of its own and a virtual clock, and says where the two part.
//
// In: a Script. Out: an Outcome. The clock stands still but for what the script's times say, in steps of the stack's tick;
// so a script takes no time of its own and never fails on a slow machine. Strict: whatever the stack sends has its line.
#pragma once

#include "test/script/script.hh"

namespace qstack::script {

struct Outcome {
  std::string fault{};         ///< empty: it came true
  std::string conversation{};  ///< every event with its time, up to the fault
};

Outcome run_script(const Script& script);
/// Reads it, too.
Outcome run_script_file(const std::string& path);

}  // namespace qstack::script
