#include "native/ip/ndp.hh"

namespace qstack {
namespace {

/// RFC 4861 10: RETRANS_TIMER, MAX_RTR_SOLICITATIONS and RTR_SOLICITATION_INTERVAL.
constexpr Nanos kRetransTimer = kSecond;
constexpr uint8_t kRouterSolicitations = 3;
constexpr Nanos kRouterSolicitationInterval = 4 * kSecond;

}  // namespace

Ndp::Ndp(const IpConfig& config, OwnAddresses& own, Resolver& resolver, Outlet outlet)
    : own_(own),
      resolver_(resolver),
      discovery_(outlet, config.mac),
      counters_(outlet.counters),
      use_routers_(config.ipv6.router_advertisements && config.ipv6.gateway.unspecified()),
      probes_left_(config.ipv6.dad_transmits),
      router_solicitations_left_(use_routers_ ? kRouterSolicitations : 0) {}

bool Ndp::input(const uint8_t* icmp, uint16_t length, const Origin& origin, Nanos now) {
  if (icmp[0] == kRouterAdvertisement) return router_advertised(icmp, length, origin, now);
  NeighborMessage message;
  if (icmp[0] != kNeighborSolicitation && icmp[0] != kNeighborAdvertisement) return false;
  if (!parse_neighbor_message(icmp, length, message) || message.target.multicast()) return false;
  return message.advertisement ? advised(message, origin, now) : solicited(message, origin, now);
}

/// RFC 4861 7.1.1 and 7.2.3, RFC 4862 5.4.3.
bool Ndp::solicited(const NeighborMessage& message, const Origin& origin, Nanos now) {
  const bool probe = origin.source.unspecified();
  if (probe && (message.mac || !origin.destination.multicast())) return false;
  if (own_.tentative()) {
    if (probe) conflict(message.target);
    return probe;
  }
  if (!own_.local(message.target)) return false;
  if (probe) {
    discovery_.advertise(message.target, kAllNodes, multicast_mac(kAllNodes));
    return true;
  }
  if (own_.local(origin.source) || !is_unicast_ipv6(origin.source)) return false;
  if (message.mac && own_.connected(origin.source)) resolver_.note(origin.source, *message.mac, now);
  discovery_.advertise(message.target, origin.source, message.mac.value_or(origin.mac));
  return true;
}

/// RFC 4861 7.1.2: a solicited advertisement is never sent to a group.
bool Ndp::advised(const NeighborMessage& message, const Origin& origin, Nanos now) {
  if (message.solicited && origin.destination.multicast()) return false;
  if (own_.tentative() || own_.local(message.target)) {
    conflict(message.target);
    return true;
  }
  if (message.target == router_ && !message.router) router_until_ = now;  // 7.2.5: it routes no longer
  resolver_.advised(message, now);
  return true;
}

/// RFC 4862 5.4.3, 5.4.4: an address is taken from us only while it is tentative; afterwards the claim is counted.
void Ndp::conflict(const IpAddress& address) {
  const uint32_t index = own_.checked_index(address);
  if (index == kNoIndex) return;
  counters_.add(Counter::dad_conflicts);
  if (own_.tentative()) own_.give_up(index);
}

/// RFC 4861 6.1.2 and 6.3.4.
bool Ndp::router_advertised(const uint8_t* icmp, uint16_t length, const Origin& origin, Nanos now) {
  RouterMessage message;
  if (!origin.source.link_local() || !parse_router_advertisement(icmp, length, message)) return false;
  if (!use_routers_ || own_.tentative()) return false;
  router_solicitations_left_ = 0;
  if (message.lifetime_s == 0) {
    if (origin.source == router_) router_until_ = now;
    return true;
  }
  if (router_until_ != 0 && origin.source != router_) return true;  // the first one stays, as long as it lives
  const uint32_t neighbor =
      message.mac ? resolver_.note(origin.source, *message.mac, now) : resolver_.resolve(origin.source, now);
  if (neighbor == kNoIndex) return false;
  router_ = origin.source;
  router_until_ = now + message.lifetime_s * kSecond;
  resolver_.set_gateway_ipv6(neighbor);
  return true;
}

void Ndp::tick(Nanos now) {
  if (own_.tentative()) return probe(now);
  if (router_solicitations_left_ > 0) look_for_router(now);
  if (router_until_ == 0 || now < router_until_) return;
  router_until_ = 0;
  router_ = {};
  resolver_.set_gateway_ipv6(kNoIndex);
}

void Ndp::probe(Nanos now) {
  if (now < next_probe_) return;
  next_probe_ = now + kRetransTimer;
  if (probes_left_ == 0) return own_.accept();
  --probes_left_;
  for (uint32_t i = 0; i < own_.checked(); ++i) discovery_.solicit({}, own_.checked_address(i), nullptr);
}

void Ndp::look_for_router(Nanos now) {
  if (now < next_router_solicitation_) return;
  next_router_solicitation_ = now + kRouterSolicitationInterval;
  --router_solicitations_left_;
  discovery_.solicit_routers(own_.link_local());
}

}  // namespace qstack
