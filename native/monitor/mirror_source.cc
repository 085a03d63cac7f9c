#include "native/monitor/mirror_source.hh"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <string>

#include "native/port/mirror_port.hh"

namespace qstack::monitor {

int MirrorSource::read(const FrameSink& sink) {
  Packet* packets[kBurst];
  const uint32_t n = port_.rx_burst(packets, kBurst, wall_clock());
  if (n == 0 && !port_.link_up()) begun_ = false;  // the next server counts from zero
  for (uint32_t i = 0; i < n; ++i) {
    const std::span<const uint8_t> bytes{packets[i]->data, packets[i]->length};
    try {
      tell(bytes, sink);
    } catch (...) {
      for (uint32_t rest = i; rest < n; ++rest) rx_.release(packets[rest]);
      throw;
    }
    rx_.release(packets[i]);
  }
  return static_cast<int>(n);
}

void MirrorSource::tell(std::span<const uint8_t> bytes, const FrameSink& sink) {
  MirrorRecord record{};
  std::memcpy(&record, bytes.data(), std::min(bytes.size(), sizeof(record)));
  if (bytes.size() < sizeof(record) || record.type != MirrorRecord::kType) throw std::runtime_error("these are no records of a mirror, but other frames");
  if (record.version != MirrorRecord::kVersion) {
    throw std::runtime_error("the mirror's records have version " + std::to_string(record.version) + ", this monitor reads " +
                             std::to_string(MirrorRecord::kVersion) + ": use the one of the server's release");
  }
  if (begun_) missed_ += record.dropped - dropped_;
  begun_ = true;
  dropped_ = record.dropped;
  sink(record.time, record.length, bytes.subspan(sizeof(record)));
}

/// The records have the server's times, and its ring has room for some milliseconds of them: they come in bursts, and the server's
/// cores have rest in between.
bool MirrorSource::rest(int got) {
  if (got == kBurst) return false;
  constexpr timespec kNap{0, 300'000};
  nanosleep(&kNap, nullptr);
  return true;
}

}  // namespace qstack::monitor
