#include "native/port/mirror_port.hh"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace qstack {

namespace {

uint16_t load(const Packet& packet, size_t at) {
  uint16_t value;
  std::memcpy(&value, packet.data + at, sizeof(value));
  return value;
}

uint16_t records_of(const Packet& packet) { return load(packet, offsetof(MirrorHead, records)); }

void set_records(Packet& packet, uint32_t records) {
  const auto value = static_cast<uint16_t>(records);
  std::memcpy(packet.data + offsetof(MirrorHead, records), &value, sizeof(value));
}

void append(Packet& packet, const MirrorRecord& record, const Packet& frame) {
  uint8_t* const end = packet.data + packet.length;
  std::memcpy(end, &record, sizeof(record));
  std::memcpy(end + sizeof(record), frame.data, record.kept);
  packet.length = static_cast<uint16_t>(packet.length + sizeof(record) + record.kept);
  set_records(packet, records_of(packet) + 1u);
}

/// Leaves the first records of a packet.
void shorten(Packet& packet, uint32_t records) {
  size_t length = sizeof(MirrorHead);
  for (uint32_t i = 0; i < records; ++i) {
    length += sizeof(MirrorRecord) + load(packet, length + offsetof(MirrorRecord, kept));
  }
  packet.length = static_cast<uint16_t>(length);
  set_records(packet, records);
}

}  // namespace

MirrorPort::MirrorPort(Port& inside, Port& mirror, PacketPool& pool, uint32_t snap, Clock* clock)
    : inside_(inside), mirror_(mirror), pool_(pool), snap_(std::min(snap, kMirrorSnapMax)), clock_(clock) {}

uint32_t MirrorPort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  const uint32_t got = inside_.rx_burst(out, n, now);
  if (got == 0 || !mirror_.link_up()) return got;
  const uint64_t time = clock_();
  for (uint32_t at = 0; at < got; at += kBurst) {
    const uint32_t count = std::min(got - at, kBurst);
    Batch batch;
    batch.way = MirrorWay::received;
    batch.time = time;
    copy(out + at, count, batch);
    give(batch, count, now);
  }
  return got;
}

/// Copied before they are given away: a frame that the port has taken may be changed or gone. What it did not take is not told.
uint32_t MirrorPort::tx_burst(Packet** packets, uint32_t n, Nanos now) {
  if (n == 0 || !mirror_.link_up()) return inside_.tx_burst(packets, n, now);
  const uint64_t time = clock_();
  uint32_t sent = 0;
  while (sent < n) {
    const uint32_t count = std::min(n - sent, kBurst);
    Batch batch;
    batch.way = MirrorWay::sent;
    batch.time = time;
    copy(packets + sent, count, batch);
    const uint32_t taken = inside_.tx_burst(packets + sent, count, now);
    keep(batch, taken);
    give(batch, taken, now);
    sent += taken;
    if (taken < count) break;
  }
  return sent;
}

/// Records of the first frames, as many as there are packets for.
void MirrorPort::copy(Packet* const* frames, uint32_t n, Batch& batch) {
  for (uint32_t i = 0; i < n; ++i) {
    const Packet& frame = *frames[i];
    const auto kept = static_cast<uint16_t>(std::min<uint32_t>(frame.length, snap_));
    const uint32_t bytes = sizeof(MirrorRecord) + kept;
    const bool fits = batch.count > 0 && batch.packets[batch.count - 1]->length + bytes <= kMirrorPacketMax;
    if (!fits && !open(batch)) return;
    append(*batch.packets[batch.count - 1], {.length = frame.length, .kept = kept}, frame);
    ++batch.records;
  }
}

/// One more packet, without a record yet.
bool MirrorPort::open(Batch& batch) {
  Packet* const packet = pool_.allocate();
  if (packet == nullptr) return false;
  const MirrorHead head{.destination = {},
                        .source = {},
                        .type = MirrorHead::kType,
                        .version = MirrorHead::kVersion,
                        .way = batch.way,
                        .records = 0,
                        .reserved = 0,
                        .dropped = static_cast<uint32_t>(counts_.dropped),
                        .time = batch.time};
  std::memcpy(packet->data, &head, sizeof(head));
  packet->length = sizeof(head);
  batch.packets[batch.count++] = packet;
  return true;
}

/// The first records alone.
void MirrorPort::keep(Batch& batch, uint32_t records) {
  while (batch.records > records) {
    Packet& last = *batch.packets[batch.count - 1];
    const uint32_t before = batch.records - records_of(last);
    batch.records = std::max(before, records);
    if (before < records) {
      shorten(last, records - before);
    } else {
      pool_.release(&last);
      --batch.count;
    }
  }
}

void MirrorPort::give(Batch& batch, uint32_t wanted, Nanos now) {
  Packet** const packets = batch.packets.data();
  const uint32_t taken = batch.count == 0 ? 0 : mirror_.tx_burst(packets, batch.count, now);
  uint32_t told = batch.records;
  for (uint32_t i = taken; i < batch.count; ++i) {
    told -= records_of(*packets[i]);
    pool_.release(packets[i]);
  }
  counts_.records += told;
  counts_.dropped += wanted - told;
}

}  // namespace qstack
