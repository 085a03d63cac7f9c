// The frames of ARP and NDP: who asks and answers for addresses writes them here.
//
// In: what they say. Out: frames in the queue, counted as arp_out or ndp_out.
#pragma once

#include "native/ip/outlet.hh"
#include "native/wire/arp.hh"
#include "native/wire/ndp.hh"

namespace qstack {

class Discovery {
 public:
  Discovery(Outlet outlet, const MacAddress& mac) : outlet_(outlet), mac_(mac) {}

  void arp(const ArpPacket& arp, const MacAddress& to);
  /// A solicitation to one station, or to the group of the target where `to` is null. A source of `::` is a DAD probe.
  void solicit(const IpAddress& source, const IpAddress& target, const MacAddress* to);
  /// An advertisement for `target`; solicited unless it goes to all nodes.
  void advertise(const IpAddress& target, const IpAddress& to, const MacAddress& to_mac);
  void solicit_routers(const IpAddress& source);

 private:
  void neighbor_message(const NeighborMessage& message, const IpAddress& source, const IpAddress& to,
                        const MacAddress& to_mac);
  void send(Packet* packet, const IpAddress& source, const IpAddress& to, const MacAddress& to_mac, uint16_t length);

  Outlet outlet_;
  MacAddress mac_;
};

}  // namespace qstack
