#include "native/port/mirror_port.hh"

#include <algorithm>
#include <array>
#include <cstring>

namespace qstack {

MirrorPort::MirrorPort(Port& inside, Port& mirror, PacketPool& pool, uint32_t snap, Clock* clock)
    : inside_(inside), mirror_(mirror), pool_(pool), snap_(std::min(snap, kMirrorSnapMax)), clock_(clock) {}

uint32_t MirrorPort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  const uint32_t got = inside_.rx_burst(out, n, now);
  if (got == 0 || !mirror_.link_up()) return got;
  const uint64_t time = clock_();
  std::array<Packet*, kBurst> records;
  for (uint32_t at = 0; at < got; at += kBurst) {
    const uint32_t count = std::min(got - at, kBurst);
    give(records.data(), copy(out + at, count, MirrorWay::received, time, records.data()), count, now);
  }
  return got;
}

/// Copied before they are given away: a frame that the port has taken may be changed or gone. What it did not take is not told.
uint32_t MirrorPort::tx_burst(Packet** packets, uint32_t n, Nanos now) {
  if (n == 0 || !mirror_.link_up()) return inside_.tx_burst(packets, n, now);
  const uint64_t time = clock_();
  std::array<Packet*, kBurst> records;
  uint32_t sent = 0;
  while (sent < n) {
    const uint32_t count = std::min(n - sent, kBurst);
    const uint32_t copied = copy(packets + sent, count, MirrorWay::sent, time, records.data());
    const uint32_t taken = inside_.tx_burst(packets + sent, count, now);
    const uint32_t told = std::min(taken, copied);
    for (uint32_t i = told; i < copied; ++i) pool_.release(records[i]);
    give(records.data(), told, taken, now);
    sent += taken;
    if (taken < count) break;
  }
  return sent;
}

/// Records of the first frames, as many as there are packets for.
uint32_t MirrorPort::copy(Packet* const* frames, uint32_t n, MirrorWay way, uint64_t time, Packet** records) {
  n = std::min(n, pool_.available());
  if (n == 0 || pool_.allocate(records, n) == 0) return 0;
  MirrorRecord record{.destination = {},
                      .source = {},
                      .type = MirrorRecord::kType,
                      .version = MirrorRecord::kVersion,
                      .way = way,
                      .length = 0,
                      .reserved = 0,
                      .dropped = static_cast<uint32_t>(counts_.dropped),
                      .time = time};
  for (uint32_t i = 0; i < n; ++i) {
    const Packet& frame = *frames[i];
    const uint32_t bytes = std::min<uint32_t>(frame.length, snap_);
    record.length = frame.length;
    std::memcpy(records[i]->data, &record, sizeof(record));
    std::memcpy(records[i]->data + sizeof(record), frame.data, bytes);
    records[i]->length = static_cast<uint16_t>(sizeof(record) + bytes);
  }
  return n;
}

void MirrorPort::give(Packet** records, uint32_t n, uint32_t wanted, Nanos now) {
  const uint32_t taken = n == 0 ? 0 : mirror_.tx_burst(records, n, now);
  for (uint32_t i = taken; i < n; ++i) pool_.release(records[i]);
  counts_.records += taken;
  counts_.dropped += wanted - taken;
}

}  // namespace qstack
