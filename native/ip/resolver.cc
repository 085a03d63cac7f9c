#include "native/ip/resolver.hh"

#include <algorithm>

#include "native/wire/ipv4.hh"

namespace qstack {

namespace {

/// RFC 1122 2.3.2.1: the same address is asked for at most once a second.
constexpr Nanos kRequestInterval = kSecond;
constexpr uint8_t kRequestsMax = 3;
/// How long an address that did not answer is left alone.
constexpr Nanos kUnreachableStep = kSecond;
/// RFC 1122 2.3.2.1: time-outs of the order of a minute.
constexpr Nanos kAgeMax = 60 * kSecond;
/// RFC 4861 10: REACHABLE_TIME, and DELAY_FIRST_PROBE_TIME for what nobody has confirmed.
constexpr Nanos kReachableTime = 30 * kSecond;
constexpr Nanos kUnconfirmedTime = 5 * kSecond;
constexpr MacAddress kUnknownMac{};

Nanos age_max(const Neighbor& entry) { return entry.address.is_ipv4() ? kAgeMax : kReachableTime; }

}  // namespace

Resolver::Resolver(const IpConfig& config, const OwnAddresses& own, Outlet outlet)
    : mac_(config.mac), own_(own), outlet_(outlet), discovery_(outlet, config.mac), table_(config) {
  pending_.reserve(size_t{config.neighbors_max} + 2);
}

void Resolver::input(const uint8_t* bytes, uint16_t length, Nanos now) {
  outlet_.counters.add(Counter::arp_in);
  ArpPacket arp;
  if (!parse_arp(bytes, length, arp) || is_group(arp.sender_mac) || own_.local(arp.sender)) {
    outlet_.counters.add(Counter::drop_arp);
    return;
  }
  const bool for_us = own_.local(arp.target);
  merge(arp, for_us, now);
  if (for_us && arp.operation == ArpOperation::request) reply(arp);
}

/// RFC 826, "Packet Reception": a known sender is updated whatever the target, an unknown one is added only if we are
/// it.
void Resolver::merge(const ArpPacket& arp, bool may_add, Nanos now) {
  uint32_t index = table_.find(arp.sender);
  if (index == kNoIndex) {
    // A sender of 0 is a probe (RFC 5227 2.1.1); one outside of the prefix would never be a next hop.
    if (!may_add || !is_unicast_ipv4(arp.sender) || !own_.connected(arp.sender)) return;
    index = table_.add(arp.sender, now);
    if (index == kNoIndex) {
      outlet_.counters.add(Counter::drop_neighbor_full);
      return;
    }
  }
  if (!table_.at(index).fixed) learn(index, arp.sender_mac, now + kAgeMax);
}

uint32_t Resolver::note(const IpAddress& address, const MacAddress& mac, Nanos now) {
  uint32_t index = table_.find(address);
  if (index == kNoIndex) index = table_.add(address, now);
  if (index == kNoIndex) {
    outlet_.counters.add(Counter::drop_neighbor_full);
    return kNoIndex;
  }
  const Neighbor& entry = table_.at(index);
  if (entry.fixed || (entry.state == NeighborState::resolved && entry.mac == mac)) return index;
  learn(index, mac, now + kUnconfirmedTime);
  return index;
}

/// An advertisement of somebody we never asked for teaches nothing.
void Resolver::advised(const NeighborMessage& message, Nanos now) {
  const uint32_t index = table_.find(message.target);
  if (index == kNoIndex || table_.at(index).fixed) return;
  Neighbor& entry = table_.at(index);
  const bool known = entry.state == NeighborState::resolved;
  if (!known && !message.mac) return;
  const MacAddress mac = message.mac.value_or(entry.mac);
  const bool moved = !known || mac != entry.mac;
  if (known && moved && !message.override_flag) {
    entry.next_at = std::min(entry.next_at, now + kUnconfirmedTime);  // somebody else says he has it: ask soon
  } else if (message.solicited) {
    learn(index, mac, now + kReachableTime);
  } else if (moved) {
    learn(index, mac, now + kUnconfirmedTime);
  }
}

void Resolver::learn(uint32_t neighbor, const MacAddress& mac, Nanos next_at) {
  Neighbor& entry = table_.at(neighbor);
  if (entry.state == NeighborState::unresolved) std::erase(pending_, neighbor);
  entry.mac = mac;
  entry.requests = 0;
  entry.next_at = next_at;
  entry.answered = true;
  entry.state = NeighborState::resolved;
  for (uint8_t i = 0; i < entry.parked_count; ++i) {
    store_mac(entry.parked[i]->data, mac);
    outlet_.send(entry.parked[i]);
  }
  entry.parked_count = 0;
}

uint32_t Resolver::resolve(const IpAddress& address, Nanos now) {
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

uint32_t Resolver::resolve_gateway(const IpAddress& destination, Nanos now) {
  const uint32_t gateway = table_.gateway(destination);
  if (gateway != kNoIndex) wake(gateway, now);
  return gateway;
}

/// Starts a round of requests.
void Resolver::begin(uint32_t neighbor, Nanos now) {
  Neighbor& entry = table_.at(neighbor);
  entry.state = NeighborState::unresolved;
  entry.requests = 1;
  entry.next_at = now + kRequestInterval;
  pending_.push_back(neighbor);
  ask(entry, true);
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

void Resolver::doubt(uint32_t neighbor, Nanos now) {
  if (neighbor >= table_.size()) return;
  Neighbor& entry = table_.at(neighbor);
  if (entry.state != NeighborState::resolved || entry.fixed) return;
  entry.next_at = std::min(entry.next_at, now + kRequestInterval);
}

/// RFC 1122 2.3.2.1 (3), RFC 4861 7.3.3: three questions to the station itself, then one to all. The MAC stays in use.
void Resolver::probe(Neighbor& entry, Nanos now) {
  const bool to_all = entry.requests == kRequestsMax;
  ask(entry, to_all);
  entry.requests = to_all ? 0 : static_cast<uint8_t>(entry.requests + 1);
  entry.next_at = now + (to_all ? age_max(entry) : kRequestInterval);
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
  ask(entry, true);
  return true;
}

void Resolver::give_up(Neighbor& entry, Nanos now) {
  entry.state = NeighborState::unreachable;
  entry.requests = 0;
  entry.next_at = now + kUnreachableStep;
  for (uint8_t i = 0; i < entry.parked_count; ++i) outlet_.drop(entry.parked[i], Counter::drop_unresolved);
  entry.parked_count = 0;
}

void Resolver::ask(const Neighbor& entry, bool to_all) {
  const IpAddress source = own_.source_for(entry.address);
  if (!entry.address.is_ipv4()) {
    // RFC 4862 5.4: a tentative address asks nobody; the next try comes when it may.
    if (own_.local(source)) discovery_.solicit(source, entry.address, to_all ? nullptr : &entry.mac);
    return;
  }
  discovery_.arp({.operation = ArpOperation::request,
                  .sender_mac = mac_,
                  .sender = source.ipv4(),
                  .target_mac = kUnknownMac,
                  .target = entry.address.ipv4()},
                 to_all ? kBroadcast : entry.mac);
}

void Resolver::reply(const ArpPacket& request) {
  discovery_.arp({.operation = ArpOperation::reply,
                  .sender_mac = mac_,
                  .sender = request.target,
                  .target_mac = request.sender_mac,
                  .target = request.sender},
                 request.sender_mac);
}

}  // namespace qstack
