#include "native/monitor/mirror_source.hh"

#include <cstring>
#include <ctime>
#include <string>

#include "native/port/mirror_port.hh"

namespace qstack::monitor {

namespace {

[[noreturn]] void foreign() { throw std::runtime_error("these are no records of a mirror, but other frames"); }

/// What the bytes begin with, and takes it off them.
template <typename T>
T take(std::span<const uint8_t>& bytes) {
  if (bytes.size() < sizeof(T)) foreign();
  T value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  bytes = bytes.subspan(sizeof(value));
  return value;
}

}  // namespace

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
  const auto head = take<MirrorHead>(bytes);
  if (head.type != MirrorHead::kType) foreign();
  if (head.version != MirrorHead::kVersion) {
    throw std::runtime_error("the mirror's records have version " + std::to_string(head.version) + ", this monitor reads " +
                             std::to_string(MirrorHead::kVersion) + ": use the one of the server's release");
  }
  count_missed(head.dropped);
  for (uint16_t i = 0; i < head.records; ++i) {
    const auto record = take<MirrorRecord>(bytes);
    if (record.kept > bytes.size()) foreign();
    sink(head.time, record.length, bytes.first(record.kept));
    bytes = bytes.subspan(record.kept);
  }
}

void MirrorSource::count_missed(uint32_t dropped) {
  if (begun_) missed_ += dropped - dropped_;
  begun_ = true;
  dropped_ = dropped;
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
