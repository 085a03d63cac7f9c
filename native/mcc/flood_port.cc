#include "native/mcc/flood_port.hh"

#include <algorithm>

#include "native/wire/vlan.hh"

namespace qstack::mcc {

namespace {
/// What a thread that was away owes: more would be a burst that no attacker's wire can carry.
constexpr Nanos kDebtMax = 10'000'000;
/// Bursts of SYNs, and of answers, between two turns of the stack.
constexpr uint32_t kBurstsPerTurn = 8;
constexpr uint16_t kTcpAt = kEthernetHeader + kIpv4Header;

/// Where the type of a frame's payload stands, behind the tag that it has in a VLAN.
uint16_t behind_tag(uint16_t vlan) { return vlan == 0 ? 0 : kVlanTag; }
}  // namespace

FloodPort::FloodPort(const FloodConfig& config, Port& inner, PacketPool& rx, PacketPool& tx)
    : config_(config), inner_(inner), rx_(rx), tx_(tx), random_(config.seed) {
  TcpOptions options;
  options.mss = 1'460;
  options.sack_permitted = options.has_timestamps = options.has_window_scale = true;
  options.window_scale = 7;
  write_syn_options(options_.data(), options);
}

uint32_t FloodPort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  flood(now);
  uint32_t kept = 0;
  // A burst that is not full would say that the device is empty: what is taken out of it makes room for more.
  for (uint32_t burst = 0; burst < kBurstsPerTurn && kept < n; ++burst) {
    const uint32_t end = kept + inner_.rx_burst(out + kept, n - kept, now);
    if (end == kept) break;
    for (uint32_t i = kept; i < end; ++i) {
      if (listens_to(out[i])) out[kept++] = out[i];
    }
  }
  return kept;
}

uint32_t FloodPort::tx_burst(Packet** packets, uint32_t n, Nanos now) {
  const uint32_t taken = inner_.tx_burst(packets, n, now);
  blocked_ = taken < n;
  return taken;
}

/// False: the frame was an answer to a SYN of the flood, and is gone.
bool FloodPort::listens_to(Packet* packet) {
  const uint16_t tag = behind_tag(config_.vlan);
  if (packet->length < kTcpAt + tag || ethernet_type(packet->data + tag) != kEtherTypeIpv4) return true;
  const uint8_t* const ip = packet->data + tag + kEthernetHeader;
  if (load_be32(ip + 12) != config_.destination) return true;
  station_ = ethernet_source(packet->data);
  station_known_ = true;
  const uint32_t address = load_be32(ip + 16);
  if (address - config_.first_address >= config_.addresses || spared(address)) return true;
  answered_.fetch_add(1, std::memory_order_relaxed);
  rx_.release(packet);
  return false;
}

void FloodPort::flood(Nanos now) {
  const uint64_t rate = rate_.load(std::memory_order_relaxed);
  if (rate == 0 || !station_known_) {
    paid_until_ = now;
    return;
  }
  if (blocked_) return;
  paid_until_ = std::max(paid_until_, now - std::min(now, kDebtMax));
  uint64_t due = (now - paid_until_) * rate / kSecond;
  for (uint32_t burst = 0; burst < kBurstsPerTurn && due > 0; ++burst) {
    Packet* packets[kBurst];
    const auto n = static_cast<uint32_t>(std::min<uint64_t>(due, kBurst));
    if (tx_.allocate(packets, n) == 0) return;
    for (uint32_t i = 0; i < n; ++i) write_syn(packets[i]);
    const uint32_t taken = inner_.tx_burst(packets, n, now);
    for (uint32_t i = taken; i < n; ++i) tx_.release(packets[i]);
    sent_.fetch_add(taken, std::memory_order_relaxed);
    paid_until_ += n * kSecond / rate;
    due -= n;
    if (taken < n) return;
  }
}

void FloodPort::write_syn(Packet* packet) {
  const uint32_t source = random_address();
  const uint64_t bits = random_();
  const uint16_t tag = behind_tag(config_.vlan);
  packet->data = PacketRegion::buffer(packet);
  packet->length = static_cast<uint16_t>(kSynLength + tag);
  uint8_t* const frame = packet->data + tag;
  write_ethernet(frame, station_, inner_.mac(), kEtherTypeIpv4);
  if (tag != 0) insert_tag(packet->data, config_.vlan);
  write_ipv4(frame + kEthernetHeader, source, config_.destination, kProtocolTcp, kIpv4Header + kTcpHeader + kOptions);
  uint8_t* const tcp = frame + kTcpAt;
  write_tcp_header(tcp, static_cast<uint16_t>(1'024 + bits % 64'512), config_.port, static_cast<Seq>(bits >> 32), 0,
                   kTcpHeader + kOptions, kSyn, 64'240);
  std::copy(options_.begin(), options_.end(), tcp + kTcpHeader);
  const uint64_t pseudo = checksum_pseudo(source, config_.destination, kProtocolTcp, kTcpHeader + kOptions);
  const uint16_t sum = internet_checksum(tcp, kTcpHeader + kOptions, pseudo);
  std::memcpy(tcp + 16, &sum, 2);
}

uint32_t FloodPort::random_address() {
  for (;;) {
    const uint32_t address = config_.first_address + static_cast<uint32_t>(random_() % config_.addresses);
    if (!spared(address)) return address;
  }
}

}  // namespace qstack::mcc
