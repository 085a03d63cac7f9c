// Ndp: what a host does in Neighbour Discovery (RFC 4861) and duplicate address detection (RFC 4862 5.4).
//
// In: ICMPv6 messages whose checksum and hop limit are right, the passing of time. Out: answers, what the Resolver
// learns, and which of our addresses may be used.
//   start ─ probes for our addresses, one a second ─▶ nobody answered: the addresses are ours ─▶ routers are asked for
// Omitted: redirects, prefixes of advertisements (addresses are configured), MLD (a switch without snooping, or with
// flooding of ff02::/16, is assumed).
#pragma once

#include "native/ip/discovery.hh"
#include "native/ip/own_addresses.hh"
#include "native/ip/resolver.hh"

namespace qstack {

class Ndp {
 public:
  Ndp(const IpConfig& config, OwnAddresses& own, Resolver& resolver, Outlet outlet);

  /// Where the message came from.
  struct Origin {
    IpAddress source;
    IpAddress destination;
    MacAddress mac;
  };

  /// One message of types 133 to 137. False: it is invalid, or says nothing to us.
  bool input(const uint8_t* icmp, uint16_t length, const Origin& origin, Nanos now);

  /// Probes, router solicitations, the end of a router's lifetime; called about every 10 ms.
  void tick(Nanos now);

 private:
  bool solicited(const NeighborMessage& message, const Origin& origin, Nanos now);
  bool advised(const NeighborMessage& message, const Origin& origin, Nanos now);
  bool router_advertised(const uint8_t* icmp, uint16_t length, const Origin& origin, Nanos now);
  void conflict(const IpAddress& address);
  void probe(Nanos now);
  void look_for_router(Nanos now);

  OwnAddresses& own_;
  Resolver& resolver_;
  Discovery discovery_;
  Counters& counters_;
  bool use_routers_;
  uint8_t probes_left_;
  uint8_t router_solicitations_left_;
  Nanos next_probe_ = 0;
  Nanos next_router_solicitation_ = 0;
  Nanos router_until_ = 0;  ///< 0: no router has advertised itself
  IpAddress router_;
};

}  // namespace qstack
