// What libFuzzer calls. FUZZ_TARGET is one name of targets.hh, given by the build.
#include "test/fuzz/targets.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length) {
  qstack::fuzz::FUZZ_TARGET({bytes, length});
  return 0;
}
