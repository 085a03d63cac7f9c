#include "native/monitor/port_source.hh"

#include <ctime>

#include "native/stack/stack_thread.hh"

namespace qstack::monitor {

int PortSource::read(const FrameSink& sink) {
  Packet* packets[64];
  const uint32_t n = port_.rx_burst(packets, 64, monotonic_now());
  const Nanos now = n == 0 ? 0 : wall_clock();
  for (uint32_t i = 0; i < n; ++i) {
    sink(now, packets[i]->length, {packets[i]->data, packets[i]->length});
    rx_.release(packets[i]);
  }
  return static_cast<int>(n);
}

bool PortSource::rest(int got) {
  if (got != 0) return false;
  constexpr timespec kNap{0, 20'000};
  nanosleep(&kNap, nullptr);
  return true;
}

}  // namespace qstack::monitor
