#include "native/ip/resolver.hh"

#include "native/wire/ipv4.hh"

namespace qstack {

namespace {

constexpr Nanos kSecond = 1'000'000'000;
/// RFC 1122 2.3.2.1: the same address is asked for at most once a second.
constexpr Nanos kRequestInterval = kSecond;
constexpr uint8_t kRequestsMax = 3;
/// How long an address that did not answer is left alone.
constexpr Nanos kUnreachableStep = kSecond;
/// RFC 1122 2.3.2.1: time-outs of the order of a minute.
constexpr Nanos kAgeMax = 60 * kSecond;
constexpr MacAddress kUnknownMac{};

}  // namespace

Resolver::Resolver(const IpConfig& config, Outlet outlet)
    : config_(config), outlet_(outlet), table_(config.neighbors, config.gateway, config.neighbors_max) {
  pending_.reserve(size_t{config.neighbors_max} + 1);
  // The gateway's entry begins as if it had been given up long ago: the first use asks.
  if (has_gateway() && !table_.at(table_.gateway()).fixed) {
    table_.at(table_.gateway()).state = NeighborState::unreachable;
  }
}

void Resolver::input(const uint8_t* bytes, uint16_t length, Nanos now) {
  outlet_.counters.add(Counter::arp_in);
  ArpPacket arp;
  if (!parse_arp(bytes, length, arp) || is_group(arp.sender_mac) || ours(arp.sender)) {
    outlet_.counters.add(Counter::drop_arp);
    return;
  }
  const bool for_us = ours(arp.target);
  merge(arp, for_us, now);
  if (for_us && arp.operation == ArpOperation::request) reply(arp);
}

/// RFC 826, "Packet Reception": a known sender is updated whatever the target, an unknown one is added only if we are
/// it.
void Resolver::merge(const ArpPacket& arp, bool may_add, Nanos now) {
  uint32_t index = table_.find(arp.sender);
  if (index == kNoIndex) {
    if (!may_add || !learnable(arp.sender)) return;
    index = table_.add(arp.sender, now);
    if (index == kNoIndex) {
      outlet_.counters.add(Counter::drop_neighbor_full);
      return;
    }
  }
  if (!table_.at(index).fixed) learn(index, arp.sender_mac, now);
}

/// A sender of 0 is a probe (RFC 5227 2.1.1); one outside of the prefix would never be a next hop.
bool Resolver::learnable(uint32_t address) const {
  if (!is_unicast_ipv4(address)) return false;
  const uint64_t mask = ~uint64_t{0} << (32 - config_.prefix_length);
  return ((address ^ config_.address) & mask) == 0;
}

void Resolver::learn(uint32_t neighbor, const MacAddress& mac, Nanos now) {
  Neighbor& entry = table_.at(neighbor);
  if (entry.state == NeighborState::unresolved) std::erase(pending_, neighbor);
  entry.mac = mac;
  entry.requests = 0;
  entry.next_at = now + kAgeMax;
  entry.answered = true;
  entry.state = NeighborState::resolved;
  for (uint8_t i = 0; i < entry.parked_count; ++i) {
    store_mac(entry.parked[i]->data, mac);
    outlet_.send(entry.parked[i]);
  }
  entry.parked_count = 0;
}

uint32_t Resolver::resolve(uint32_t address, Nanos now) {
  uint32_t index = table_.find(address);
  if (index == kNoIndex) {
    index = table_.add(address, now);
    if (index == kNoIndex) {
      outlet_.counters.add(Counter::drop_neighbor_full);
      return kNoIndex;
    }
    begin(index, now);
  }
  wake(index, now);
  return index;
}

uint32_t Resolver::resolve_gateway(Nanos now) {
  wake(table_.gateway(), now);
  return table_.gateway();
}

/// Starts a round of requests.
void Resolver::begin(uint32_t neighbor, Nanos now) {
  Neighbor& entry = table_.at(neighbor);
  entry.state = NeighborState::unresolved;
  entry.requests = 1;
  entry.next_at = now + kRequestInterval;
  pending_.push_back(neighbor);
  ask(entry, kBroadcast);
}

/// A neighbour that was given up is tried again by its next use.
void Resolver::wake(uint32_t neighbor, Nanos now) {
  const Neighbor& entry = table_.at(neighbor);
  if (entry.state == NeighborState::unreachable && now >= entry.next_at) begin(neighbor, now);
}

void Resolver::send_slowly(Packet* packet, uint32_t neighbor, Nanos now) {
  wake(neighbor, now);
  Neighbor& entry = table_.at(neighbor);
  if (entry.state != NeighborState::resolved) {
    park(entry, packet);
    return;
  }
  probe(entry, now);
  store_mac(packet->data, entry.mac);
  outlet_.send(packet);
}

/// RFC 1122 2.3.2.1 (3), unicast poll: three questions to the station itself, then one to all. The MAC stays in use.
void Resolver::probe(Neighbor& entry, Nanos now) {
  const bool to_all = entry.requests == kRequestsMax;
  ask(entry, to_all ? kBroadcast : entry.mac);
  entry.requests = to_all ? 0 : static_cast<uint8_t>(entry.requests + 1);
  entry.next_at = now + (to_all ? kAgeMax : kRequestInterval);
}

void Resolver::park(Neighbor& entry, Packet* packet) {
  if (entry.state == NeighborState::unreachable || entry.parked_count == kParkedMax) {
    outlet_.drop(packet, Counter::drop_unresolved);
    return;
  }
  entry.parked[entry.parked_count++] = packet;
}

void Resolver::tick(Nanos now) {
  for (size_t i = 0; i < pending_.size();) {
    if (retry(table_.at(pending_[i]), now)) {
      ++i;
    } else {
      pending_[i] = pending_.back();
      pending_.pop_back();
    }
  }
}

/// False: the entry is no longer pending.
bool Resolver::retry(Neighbor& entry, Nanos now) {
  if (now < entry.next_at) return true;
  if (entry.requests == kRequestsMax) {
    give_up(entry, now);
    return false;
  }
  ++entry.requests;
  entry.next_at = now + kRequestInterval;
  ask(entry, kBroadcast);
  return true;
}

void Resolver::give_up(Neighbor& entry, Nanos now) {
  entry.state = NeighborState::unreachable;
  entry.requests = 0;
  entry.next_at = now + kUnreachableStep;
  for (uint8_t i = 0; i < entry.parked_count; ++i) outlet_.drop(entry.parked[i], Counter::drop_unresolved);
  entry.parked_count = 0;
}

void Resolver::ask(Neighbor& entry, const MacAddress& to) {
  transmit({.operation = ArpOperation::request,
            .sender_mac = config_.mac,
            .sender = config_.address,
            .target_mac = kUnknownMac,
            .target = entry.address},
           to);
}

void Resolver::reply(const ArpPacket& request) {
  transmit({.operation = ArpOperation::reply,
            .sender_mac = config_.mac,
            .sender = request.target,
            .target_mac = request.sender_mac,
            .target = request.sender},
           request.sender_mac);
}

void Resolver::transmit(const ArpPacket& arp, const MacAddress& to) {
  Packet* const packet = outlet_.make();
  if (packet == nullptr) return;
  write_ethernet(packet->data, to, config_.mac, kEtherTypeArp);
  write_arp(packet->data + kEthernetHeader, arp);
  packet->length = kEthernetHeader + kArpLength;
  if (outlet_.send(packet)) outlet_.counters.add(Counter::arp_out);
}

}  // namespace qstack
