// Counters: everything that a stack counts, one u64 each, written by its stack thread only.
//
// The names below are the names in metrics, logs and JSON. `drop` counters name the reason why a frame or a record
// went no further; they are the only answer that the packet's line gives to bad input.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "native/abi/sojourn.hh"

// clang-format off
#define QSTACK_COUNTERS(X) \
  X(rx_packets) X(rx_bytes) X(tx_packets) X(tx_bytes) X(turns) X(idle_turns) \
  X(arp_in) X(arp_out) X(ndp_in) X(ndp_out) X(dad_conflicts) X(icmp_in) X(icmp_out) \
  X(icmp_errors_in) X(icmp_errors_out) X(icmp_errors_limited) X(fragments_in) X(fragments_out) X(datagrams_reassembled) \
  X(syn_in) X(syn_cookies_sent) X(syn_cookies_accepted) X(syn_cookies_rejected) X(syn_cookies_engaged) \
  X(connections_opened) X(connections_closed) X(connections_open) X(half_open) X(time_wait) \
  X(messages_in) X(messages_early) X(messages_early_limited) X(messages_malformed) X(messages_out) X(acks_out) X(resets_in) X(resets_out) \
  X(retransmits) X(fast_retransmits) X(timeouts) X(loss_probes) X(spurious_retransmits) X(recoveries_undone) \
  X(ce_in) X(duplicates_in) X(out_of_order_in) X(zero_window_probes) \
  X(challenge_acks) X(challenge_acks_limited) X(urgent_in) X(urgent_untold) \
  X(path_mtu_lowered) X(path_mtu_raised) X(path_mtu_black_holes) \
  X(idle_closed) X(keepalive_probes) X(keepalive_closed) X(options_refused) X(sums_refused) X(rx_deferred) X(tx_deferred) X(stale_records) X(bad_records) X(failed_sends) \
  X(drop_too_short) X(drop_not_ours) X(drop_not_ip) X(drop_ip_header) X(drop_ip_checksum) X(drop_ip_fragment) \
  X(drop_fragment_overlap) X(drop_fragment_timeout) X(drop_fragment_full) X(drop_vlan) X(drop_icmp_error) \
  X(drop_protocol) X(drop_icmp) X(drop_tcp_header) X(drop_tcp_checksum) X(drop_tcp_sequence) X(drop_tcp_ack) X(drop_paws) \
  X(drop_no_listener) X(drop_syn_no_slot) X(drop_syn_half_open) X(drop_syn_source) X(drop_syn_flood) X(drop_flow_full) X(drop_no_packet) \
  X(drop_no_busy) X(drop_window) X(drop_arp) X(drop_ndp) X(drop_neighbor_full) X(drop_unresolved) X(drop_tx_full)
// clang-format on

namespace qstack {

enum class Counter : uint16_t {
#define QSTACK_X(name) name,
  QSTACK_COUNTERS(QSTACK_X)
#undef QSTACK_X
      count_
};

inline constexpr size_t kCounters = static_cast<size_t>(Counter::count_);

inline constexpr std::array<std::string_view, kCounters> kCounterNames = {
#define QSTACK_X(name) #name,
    QSTACK_COUNTERS(QSTACK_X)
#undef QSTACK_X
};

struct Counters {
  std::array<uint64_t, kCounters> values{};
  std::array<uint64_t, 8> messages_by_level{};
  std::array<uint64_t, 8> deferred_by_level{};  ///< rx_deferred, where memory for the level was the reason
  Sojourn sojourn;

  void add(Counter counter, uint64_t n = 1) { values[static_cast<size_t>(counter)] += n; }
  void set(Counter counter, uint64_t n) { values[static_cast<size_t>(counter)] = n; }
  uint64_t get(Counter counter) const { return values[static_cast<size_t>(counter)]; }

  /// Of two stacks together.
  Counters& operator+=(const Counters& other) {
    for (size_t i = 0; i < kCounters; ++i) values[i] += other.values[i];
    for (size_t level = 0; level < messages_by_level.size(); ++level) {
      messages_by_level[level] += other.messages_by_level[level];
      deferred_by_level[level] += other.deferred_by_level[level];
    }
    sojourn += other.sojourn;
    return *this;
  }
};

}  // namespace qstack
