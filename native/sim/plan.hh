// Plan: everything that happens in one run of the simulation, drawn from a seed before it begins.
//
// In: a seed, and limits: what to leave out. Out: hosts, links, transfers, what goes wrong and when. Leaving a part out
// changes no other part, so a failing plan can be made smaller step by step (tools/sim/shrink.ts does it).
#pragma once

#include <bitset>
#include <optional>
#include <string_view>
#include <vector>

#include "native/sim/random.hh"
#include "native/stack/config.hh"

namespace qstack::sim {

// clang-format off
/// What a plan may do beyond the plainest one; the names are those of `--without`.
#define QSTACK_SIM_FEATURES(X) \
  X(sack) X(timestamps) X(ecn) X(pacing) X(delayed_ack) X(nagle) X(levels) X(framing) X(ipv6) X(congestion) \
  X(small_buffers) X(small_pools) X(cookies) X(small_mtu) X(resolution) X(coarse_turns) X(clock_wrap) X(time_wait) \
  X(refusals) X(slow_readers) X(aborts) X(early_closes) X(small_writes) X(pauses) X(drains) X(same_ports) X(slow_links) X(classifiers) X(icmp) X(messages) \
  X(loss) X(bursts) X(reordering) X(duplicates) X(corruption) X(jitter) X(marks) X(mtu_changes) X(outages) X(crashes) \
  X(rewrites) X(policies) X(stacks) X(fragments)
// clang-format on

enum class Feature : uint8_t {
#define QSTACK_X(name) name,
  QSTACK_SIM_FEATURES(QSTACK_X)
#undef QSTACK_X
      count_
};
inline constexpr size_t kFeatures = static_cast<size_t>(Feature::count_);
inline constexpr std::string_view kFeatureNames[] = {
#define QSTACK_X(name) #name,
    QSTACK_SIM_FEATURES(QSTACK_X)
#undef QSTACK_X
};

/// A fault put in on purpose, to see whether the simulation notices it.
enum class Plant : uint8_t {
  none,
  alter,      ///< the network changes a byte and makes the checksum right again
  forge_ack,  ///< the network acknowledges what has not arrived
  keep_pieces,  ///< the first of several stacks answers whatever it has put together
};

struct Limits {
  uint32_t hosts_max = 4;
  uint64_t bytes_max = UINT64_MAX;  ///< of one direction of a transfer
  std::bitset<kFeatures> without;
  std::optional<std::vector<uint32_t>> transfers, faults;  ///< numbers of those that happen; all, if not set
  Plant plant = Plant::none;

  bool has(Feature feature) const { return !without.test(static_cast<size_t>(feature)); }
};

inline constexpr uint32_t kHostsMax = 4;

/// Between `from_ms` and `until_ms` of the run, of frames on their way to `host`, or of the host itself.
struct Fault {
  uint32_t number;
  Feature kind;  ///< loss … rewrites, fragments
  uint8_t host;
  uint32_t from_ms, until_ms;
  uint32_t value;  ///< ppm of frames; bytes of an IP packet (mtu_changes)
  uint32_t extra;  ///< µs (reordering, jitter, duplicates), frames in a row (bursts), 1: told by ICMP (mtu_changes)
};

struct HostPlan {
  StackConfig config;  ///< of each stack
  uint32_t stacks = 1;      ///< that share the link and the addresses; each has packets of its own
  uint32_t way_frames = 0;  ///< on their way from one to another, at most
  uint32_t slow_turns = 1;  ///< the last stack has only every such turn
  uint32_t rx_packets = 512, tx_packets = 1'024;
  uint32_t grain_us = 10;  ///< shortest time between two turns
  uint32_t refusal_ppm = 0;
  uint32_t stall_us = 0;  ///< the app has no room for the lower levels, every other such time about; 0: it always has
  bool defers = false;     ///< then the stack is told that their budget is spent
  PolicyConfig other_policy;      ///< takes turns with that of `config`
  uint32_t policy_turns = 0;      ///< of the host, after which the other one is in force; 0: never
  uint32_t delay_us = 0;          ///< of the link to the middle of the network, one way
  uint64_t bytes_per_second = 0;  ///< that leave; 0: any number
  uint32_t queue_bytes = 0;       ///< that wait to leave before frames are dropped
  uint32_t drop_bytes = 0;        ///< that wait before some are; 0: none are before it is full
  uint16_t high_length = 0;       ///< frames up to this length have level 0, longer ones the lowest; 0: no classifier
  bool judges = false;            ///< the first byte of a message, and of a frame's payload, is its level
  bool unordered = false;         ///< messages above the lowest level do not wait for what was lost
  uint32_t mark_bytes = 0;        ///< that wait before frames are marked (ECN); 0: none are
};

struct Behaviour {
  uint64_t bytes = 0;
  uint16_t write_least = 1'448, write_most = 1'448;
  uint32_t burst = 16;    ///< writes without a pause
  uint32_t pause_us = 0;  ///< longest
  uint32_t unsent_max = 262'144;
  bool drains = false;       ///< waits for the stack's word instead of looking
  uint8_t levels = 1;        ///< that messages are spread over
  uint8_t level = 0;         ///< of all, with one
  uint32_t hold_us = 0;      ///< how long a received message is kept
  uint32_t hold_max = 0;     ///< how many are kept at most
  uint64_t abort_at = 0;     ///< bytes sent and received; 0: never
  bool early_close = false;  ///< closes once all is sent, whatever the peer still sends
};

struct FramingPlan {
  Framing framing = Framing::stream;
  uint16_t fixed_length = 0;
  LengthPrefix prefix{};
};

/// The listeners of every host: port kFirstPort + n has framing n.
inline constexpr uint16_t kFirstPort = 80;
inline constexpr FramingPlan kFramings[] = {
    {Framing::stream, 0}, {Framing::segment, 0}, {Framing::fixed, 16}, {Framing::fixed, 100}, {Framing::fixed, 1'000},
    {Framing::length_prefix, 0, {1, 2, false, 0, 1'500}}, {Framing::length_prefix, 0, {1, 2, true, 7, 200}}};
/// Those that say how long a message is come with the feature `messages`.
inline constexpr uint32_t kPlainFramings = 5;
inline constexpr uint32_t kFramingCount = sizeof(kFramings) / sizeof(kFramings[0]);

/// One connection, opened again where it is lost for a reason; side 0 opens it, side 1 listens.
struct TransferPlan {
  uint32_t number = 0;
  uint8_t host[2] = {0, 1};
  bool ipv6 = false;
  uint8_t framing[2] = {0, 0};  ///< of what that side receives
  bool nagle = false;
  uint16_t port = 0;  ///< of side 0; 0: another for each attempt
  uint32_t start_ms = 0;
  Behaviour side[2];

  bool violent() const {
    return side[0].abort_at != 0 || side[1].abort_at != 0 || side[0].early_close || side[1].early_close;
  }
};

struct Plan {
  uint64_t seed = 0;
  Nanos start = 0;
  uint32_t faults_ms = 0;  ///< after that nothing goes wrong any more
  bool starved = false;    ///< too little memory for every connection: some are aborted
  bool resolves = false;   ///< neighbours are found by ARP and NDP, not configured
  std::vector<HostPlan> hosts;  ///< kHostsMax at most
  std::vector<TransferPlan> transfers;
  std::vector<Fault> faults;
  Plant plant = Plant::none;

  uint8_t host_count() const { return static_cast<uint8_t>(hosts.size()); }
};

Plan make_plan(uint64_t seed, const Limits& limits);

}  // namespace qstack::sim
