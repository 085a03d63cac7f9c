// FlowKeys: what a FlowKey stands for, and who keeps its IPv6 addresses.
//
// A key has room for IPv4 addresses only. IPv6 connections keep theirs in a side pool, a pair of 32 B each: their key
// holds kIpv6Flow | number of the pair as its remote address, which no IPv4 peer can have (240/4, RFC 1112 4), so that an
// IPv4 connection pays nothing. The first pairs are scratch: what has just come in and belongs to no record yet.
// Invariant: a key in the flow table has a pair of its own (keep), and gives it back when it leaves (forget).
#pragma once

#include <array>
#include <cstdint>

#include "native/flow/flow_key.hh"
#include "native/mempool/slot_pool.hh"
#include "native/wire/ip_address.hh"

namespace qstack {

class FlowKeys {
 public:
  /// Room for `flows` IPv6 flows in the table, and for `scratch` keys beside it.
  FlowKeys(uint32_t flows, uint32_t scratch, const std::array<uint64_t, 4>& secret);

  /// A key that is not in the table; valid until `scratch` number `place` is used again.
  FlowKey make(uint32_t place, const IpAddress& remote, uint16_t remote_port, const IpAddress& local, uint16_t local_port);

  IpAddress remote(const FlowKey& key) const { return key.ipv6() ? pair(key).remote : IpAddress(key.remote_address); }
  IpAddress local(const FlowKey& key) const { return key.ipv6() ? pair(key).local : IpAddress(key.local_address); }

  /// Keyed by the secret, from the addresses themselves: the same in every life of a flow.
  uint64_t hash(const FlowKey& key) const { return key.ipv6() ? hash_ipv6(key) : hash_flow(key, secret_); }
  /// The addresses in 64 bits: those of IPv4 as they are, of IPv6 a keyed digest.
  uint64_t digest(const FlowKey& key) const;
  bool same(const FlowKey& a, const FlowKey& b) const { return a.ipv6() && b.ipv6() ? same_ipv6(a, b) : a == b; }

  /// A scratch key is about to enter the table. False: no pair is left.
  bool keep(FlowKey& key);
  /// A key has left the table.
  void forget(const FlowKey& key);

  uint32_t used() const { return pairs_.used() - scratch_; }

 private:
  struct Pair {
    IpAddress remote;
    IpAddress local;
    uint32_t link;
  };

  uint64_t hash_ipv6(const FlowKey& key) const;
  bool same_ipv6(const FlowKey& a, const FlowKey& b) const;
  const Pair& pair(const FlowKey& key) const { return pairs_.at(key.remote_address & ~kIpv6Flow); }

  std::array<uint64_t, 4> secret_;
  SlotPool<Pair> pairs_;
  uint32_t scratch_;
};

}  // namespace qstack
