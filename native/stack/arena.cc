#include "native/stack/arena.hh"

#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <stdexcept>
#include <string>

namespace qstack {

namespace {

constexpr uint64_t kLine = 64;

static_assert(abi::kAppLinesAt + abi::kAppsMax * sizeof(abi::AppLine) <= abi::kStackLinesAt);
static_assert(abi::kStackLinesAt + abi::kStacksMax * sizeof(abi::StackLine) <= abi::kRingDirectoryAt);
static_assert(abi::kRingDirectoryAt + abi::kRingSetsMax * abi::kRingsPerApp * sizeof(abi::RingEntry) == abi::kHeaderBytes);

uint64_t align_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

void check(const ArenaConfig& config) {
  if (config.levels < 1 || config.levels > abi::kLevelsMax) throw std::length_error("levels: 1 to 8");
  if (config.apps < 1 || config.apps > abi::kAppsMax) throw std::length_error("app threads: 1 to 32");
  if (config.stacks < 1 || config.stacks > abi::kStacksMax) throw std::length_error("stack threads: 1 to 16");
  if (config.stacks * config.apps > abi::kRingSetsMax) {
    throw std::length_error("stack threads times app threads: at most 256");
  }
  if (config.rx_packets < 1 || config.tx_packets < 1) throw std::length_error("packets: at least 1 in each pool");
  if (config.rx_packets > 1u << 24 || config.tx_packets > 1u << 24) {
    throw std::length_error("packets: at most 16777216 in each pool");
  }
}

/// Hands out offsets, one after the other.
class Planner {
 public:
  uint64_t take(uint64_t bytes, uint64_t align) {
    const uint64_t at = align_up(at_, align);
    at_ = at + bytes;
    return at;
  }
  uint64_t end() const { return at_; }

 private:
  uint64_t at_ = abi::kHeaderBytes;
};

abi::RingEntry plan_ring(Planner& planner, uint32_t capacity, uint32_t record_bytes) {
  const uint64_t header_at = planner.take(sizeof(abi::RingHeader), kLine);
  const uint64_t records_at = planner.take(uint64_t{capacity} * record_bytes, kLine);
  return {static_cast<uint32_t>(header_at), static_cast<uint32_t>(records_at), capacity, record_bytes};
}

void plan_set(Planner& planner, const ArenaConfig& config, abi::RingEntry* rings) {
  const uint32_t events = std::bit_ceil(config.rx_packets);
  const uint32_t sends = std::bit_ceil(config.tx_packets);
  const uint32_t empties = std::min(std::bit_ceil(std::max(config.empty_records, 1u)), sends);
  for (uint32_t level = 0; level < config.levels; ++level) {
    rings[abi::kRingEvent + level] = plan_ring(planner, events, sizeof(abi::EventRecord));
    rings[abi::kRingSend + level] = plan_ring(planner, sends, sizeof(abi::SendRecord));
  }
  rings[abi::kRingRelease] = plan_ring(planner, events, sizeof(abi::ReleaseRecord));
  rings[abi::kRingEmpty] = plan_ring(planner, empties, abi::kEmptyRecordBytes);
}

}  // namespace

ArenaPlan plan_arena(const ArenaConfig& config) {
  check(config);
  ArenaPlan plan{.config = config, .rings = std::vector<abi::RingEntry>(config.stacks * config.apps * abi::kRingsPerApp)};
  Planner planner;
  for (uint32_t set = 0; set < config.stacks * config.apps; ++set) {
    plan_set(planner, config, &plan.rings[set * abi::kRingsPerApp]);
  }
  const uint64_t infos_at = planner.take(uint64_t{config.apps} * abi::kInfosPerApp * abi::kInfoBytes, kLine);
  const uint64_t region_at = planner.take(config.region_bytes, std::max<uint64_t>(config.region_align, kLine));
  const uint64_t slab_at = planner.take(config.slab_bytes, kLine);
  const uint64_t slots = uint64_t{config.stacks} * config.connections;
  const uint64_t address_bytes = config.ipv6 ? slots * sizeof(abi::AddressEntry) : 0;
  const uint64_t addresses_at = planner.take(address_bytes, kLine);
  const uint64_t bytes = align_up(planner.end(), 4096);
  if (bytes >= uint64_t{1} << 32) {
    throw std::length_error("the arena would take " + std::to_string(bytes >> 20) +
                            " MiB, the limit is 4095 MiB: give the pools fewer packets, or use fewer app threads");
  }
  plan.region_at = static_cast<uint32_t>(region_at);
  plan.infos_at = static_cast<uint32_t>(infos_at);
  plan.slab_at = static_cast<uint32_t>(slab_at);
  plan.addresses_at = config.ipv6 ? static_cast<uint32_t>(addresses_at) : 0;
  plan.bytes = static_cast<uint32_t>(bytes);
  return plan;
}

Arena::Arena(const ArenaConfig& config) : plan_(plan_arena(config)), memory_(plan_.bytes) { write_header(); }

void Arena::write_header() {
  abi::ArenaHeader& h = header();
  h.magic = abi::kArenaMagic;
  h.abi_version = abi::kAbiVersion;
  h.arena_bytes = plan_.bytes;
  h.levels = config().levels;
  h.apps = config().apps;
  h.stacks = config().stacks;
  h.connections = config().stacks * config().connections;
  h.slots_per_stack = config().connections;
  h.rx_packets_per_stack = config().rx_packets;
  h.tx_packets_per_stack = config().tx_packets;
  h.room = kRoom;
  h.slab_at = plan_.slab_at;
  h.slab_bytes = config().slab_bytes;
  h.mss = config().mss;
  h.addresses_at = plan_.addresses_at;
  h.infos_at = plan_.infos_at;
  std::memcpy(base() + abi::kRingDirectoryAt, plan_.rings.data(), plan_.rings.size() * sizeof(abi::RingEntry));
}

void Arena::set_region(const PacketRegion& region) {
  region_ = region;
  abi::ArenaHeader& h = header();
  h.region_at = static_cast<uint32_t>(region.base - base());
  h.stride = region.stride;
  h.packets = region.count;
  h.rx_packets = config().stacks * config().rx_packets;
  h.payload_at = region.packet_at + static_cast<uint32_t>(sizeof(Packet)) + kHeadroom;
}

void Arena::discard() { madvise(memory_.data(), memory_.size(), MADV_DONTNEED); }

}  // namespace qstack
