// require: what must hold for every input. A breach ends the process, which is how a fuzzer learns of it.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace qstack::fuzz {

inline void require(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", sentence);
  std::abort();
}

}  // namespace qstack::fuzz
