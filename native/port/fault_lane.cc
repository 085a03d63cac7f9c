#include "native/port/fault_lane.hh"

#include <algorithm>
#include <cstring>

namespace qstack {

namespace {

constexpr Nanos kMicro = 1'000;

}  // namespace

FaultLane::FaultLane(const FaultConfig& config, uint64_t seed, PacketPool& copies, bool borrowed)
    : config_(config), random_(seed), pool_(copies), borrowed_(borrowed) {}

FaultLane::~FaultLane() {
  for (const Held& held : held_) pool_.release(held.packet);
  for (Packet* const packet : ready_) pool_.release(packet);
}

/// Every fault draws its number for every frame, so that changing one probability leaves the others' fates alone.
void FaultLane::put(Packet* packet, Nanos now) {
  ++counts_.frames;
  const bool drop = random_.chance(config_.drop);
  const bool duplicate = random_.chance(config_.duplicate);
  const bool corrupt = random_.chance(config_.corrupt);
  const bool reorder = random_.chance(config_.reorder);
  const bool delay = random_.chance(config_.delay);
  const uint64_t span = uint64_t{std::max(config_.delay_us_max, config_.delay_us_min)} - config_.delay_us_min;
  const Nanos delay_time = (config_.delay_us_min + random_.below(span + 1)) * kMicro;
  if (drop) {
    ++counts_.dropped;
    pool_.release(packet);
    return;
  }
  Packet* const twin = duplicate ? copy(packet) : nullptr;
  if (corrupt) packet = corrupted(packet);
  if (delay) {
    ++counts_.delayed;
    hold(packet, now + delay_time, kNoIndex);
  } else if (reorder) {
    ++counts_.reordered;
    hold(packet, now + config_.reorder_us_max * kMicro, config_.reorder_depth);
  } else {
    pass(packet);
  }
  if (twin == nullptr) return;
  ++counts_.duplicated;
  pass(twin);
}

Packet* FaultLane::copy(const Packet* packet) {
  Packet* const twin = pool_.allocate();
  if (twin == nullptr) {
    ++counts_.spared;
    return nullptr;
  }
  twin->data = PacketRegion::buffer(twin) + (packet->data - PacketRegion::buffer(const_cast<Packet*>(packet)));
  twin->length = packet->length;
  twin->level = packet->level;
  twin->arrival = packet->arrival;
  twin->rx_stamp = packet->rx_stamp;
  std::memcpy(twin->data, packet->data, packet->length);
  return twin;
}

/// The frame itself, or a copy that may be changed and kept; null when there is no packet for the copy.
Packet* FaultLane::own(Packet* packet) {
  if (!borrowed_ || !pool_.shared(packet)) return packet;
  Packet* const twin = copy(packet);
  if (twin != nullptr) pool_.release(packet);
  return twin;
}

Packet* FaultLane::corrupted(Packet* packet) {
  const uint64_t bit = random_.next();
  Packet* const mine = own(packet);
  if (mine == nullptr || mine->length == 0) return packet;
  ++counts_.corrupted;
  mine->data[bit / 8 % mine->length] ^= static_cast<uint8_t>(1u << (bit % 8));
  return mine;
}

void FaultLane::hold(Packet* packet, Nanos due, uint32_t passes) {
  Packet* const mine = own(packet);
  if (mine == nullptr) {
    pass(packet);
    return;
  }
  held_.push_back({mine, due, passes});
}

void FaultLane::pass(Packet* packet) {
  ready_.push_back(packet);
  for (Held& held : held_) {
    if (held.passes_left == kNoIndex || held.passes_left == 0) continue;
    if (--held.passes_left == 0) ready_.push_back(held.packet);
  }
  std::erase_if(held_, [](const Held& held) { return held.passes_left == 0; });
}

void FaultLane::advance(Nanos now) {
  const auto late = [now](const Held& held) { return held.due <= now; };
  if (std::none_of(held_.begin(), held_.end(), late)) return;
  std::stable_sort(held_.begin(), held_.end(), [](const Held& a, const Held& b) { return a.due < b.due; });
  for (const Held& held : held_) {
    if (late(held)) ready_.push_back(held.packet);
  }
  std::erase_if(held_, late);
}

}  // namespace qstack
