// How long the calling thread was ready to run while others had its core, as Linux counts it (proc(5), schedstat).
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <cstdio>

#include "native/port/descriptor.hh"

namespace qstack::node {

/// Nanoseconds since the thread began; 0 where the kernel does not count them.
inline uint64_t waited_for_core() {
  static thread_local const Descriptor file(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC));
  char text[64] = {};
  unsigned long long ran = 0, waited = 0;
  if (pread(file.get(), text, sizeof(text) - 1, 0) <= 0) return 0;
  return sscanf(text, "%llu %llu", &ran, &waited) == 2 ? waited : 0;
}

}  // namespace qstack::node
