#include "native/flow/flow_keys.hh"

#include "native/flow/siphash.hh"

namespace qstack {

FlowKeys::FlowKeys(uint32_t flows, uint32_t scratch, const std::array<uint64_t, 4>& secret)
    : secret_(secret), pairs_(flows + scratch), scratch_(scratch) {
  for (uint32_t i = 0; i < scratch; ++i) pairs_.allocate();
}

FlowKey FlowKeys::make(uint32_t place, const IpAddress& remote, uint16_t remote_port, const IpAddress& local,
                       uint16_t local_port) {
  if (remote.is_ipv4()) return {remote.ipv4(), local.ipv4(), remote_port, local_port};
  Pair& pair = pairs_.at(place);
  pair.remote = remote;
  pair.local = local;
  return {kIpv6Flow | place, 0, remote_port, local_port};
}

uint64_t FlowKeys::hash_ipv6(const FlowKey& key) const {
  const Pair& addresses = pair(key);
  const uint64_t ports = (uint64_t{key.remote_port} << 16) | key.local_port;
  const uint64_t remote = mix_product(addresses.remote.high ^ secret_[0], addresses.remote.low ^ secret_[1]);
  const uint64_t local = mix_product(addresses.local.high ^ secret_[2], addresses.local.low ^ secret_[3]);
  return mix_product(remote ^ secret_[2] ^ ports, local + secret_[0] + (ports << 32));
}

uint64_t FlowKeys::digest(const FlowKey& key) const {
  if (!key.ipv6()) return (uint64_t{key.remote_address} << 32) | key.local_address;
  const Pair& addresses = pair(key);
  return siphash(secret_[0], secret_[1], siphash(secret_[0], secret_[1], addresses.remote.high, addresses.remote.low),
                 siphash(secret_[2], secret_[3], addresses.local.high, addresses.local.low));
}

bool FlowKeys::same_ipv6(const FlowKey& a, const FlowKey& b) const {
  const bool ports = a.remote_port == b.remote_port && a.local_port == b.local_port;
  return ports && pair(a).remote == pair(b).remote && pair(a).local == pair(b).local;
}

bool FlowKeys::keep(FlowKey& key) {
  if (!key.ipv6()) return true;
  const uint32_t own = pairs_.allocate();
  if (own == kNoIndex) return false;
  pairs_.at(own).remote = pair(key).remote;
  pairs_.at(own).local = pair(key).local;
  key.remote_address = kIpv6Flow | own;
  return true;
}

void FlowKeys::forget(const FlowKey& key) {
  if (key.ipv6()) pairs_.release(key.remote_address & ~kIpv6Flow);
}

}  // namespace qstack
