#include "native/bench/mirror_drain.hh"

#include <time.h>

#include <cstring>

#include "native/port/mirror_port.hh"

namespace qstack::bench {

uint32_t MirrorDrain::turn(Nanos now) {
  constexpr uint32_t kBurst = 64;
  Packet* packets[kBurst];
  const uint32_t n = port_.rx_burst(packets, kBurst, now);
  for (uint32_t i = 0; i < n; ++i) {
    MirrorHead head{};
    std::memcpy(&head, packets[i]->data, sizeof(head));
    dropped_ = head.dropped;
    records_ += head.records;
    rx_.release(packets[i]);
  }
  if (n < kBurst) {
    constexpr timespec kNap{0, 300'000};
    nanosleep(&kNap, nullptr);
  }
  return n;
}

}  // namespace qstack::bench
