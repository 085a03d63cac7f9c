// The committed inputs of every fuzz target, replayed: what was once found stays mended, and the packet target gets to
// every state of a connection.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "native/tcp/tcb.hh"
#include "test/fuzz/packet.hh"
#include "test/fuzz/targets.hh"

using namespace qstack;

namespace {

/// Replays a folder of the corpus; returns the number of its files.
size_t replay(const char* name, void (*target)(std::span<const uint8_t>)) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(QSTACK_CORPUS) / name)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
    target(bytes);
    ++files;
  }
  return files;
}

}  // namespace

TEST_CASE("committed inputs of the rule, ring, reply and C API targets are replayed") {
  CHECK(replay("rules", fuzz::rules) > 5);
  CHECK(replay("rings", fuzz::rings) > 5);
  CHECK(replay("redis", fuzz::redis) > 5);
  CHECK(replay("capi", fuzz::capi) > 5);
}

TEST_CASE("committed inputs of the packet target reach every state, recovery of both kinds, and every option") {
  CHECK(replay("packet", fuzz::packet) > 5);
  const fuzz::PacketReach& reach = fuzz::packet_reach();
  for (const TcpState state : {TcpState::syn_sent, TcpState::established, TcpState::fin_wait_1, TcpState::fin_wait_2,
                               TcpState::close_wait, TcpState::closing, TcpState::last_ack}) {
    INFO("state " << static_cast<int>(state));
    CHECK(reach.states.test(static_cast<size_t>(state)));
  }
  CHECK(reach.half_open);
  CHECK(reach.time_wait);
  CHECK(reach.active_open);
  CHECK(reach.persisting);
  CHECK(reach.fast_recovery);
  CHECK(reach.timeout_recovery);
  CHECK(reach.timestamps);
  CHECK(reach.sack);
  CHECK(reach.scaled);
  for (const Counter counter : {Counter::retransmits, Counter::fast_retransmits, Counter::out_of_order_in,
                                Counter::duplicates_in, Counter::zero_window_probes, Counter::resets_in,
                                Counter::idle_closed, Counter::drop_paws, Counter::drop_window,
                                Counter::drop_syn_no_slot, Counter::drop_no_busy, Counter::arp_in, Counter::icmp_in,
                                Counter::datagrams_reassembled, Counter::drop_fragment_overlap,
                                Counter::drop_fragment_timeout, Counter::fragments_out, Counter::icmp_errors_in,
                                Counter::icmp_errors_out, Counter::drop_icmp_error, Counter::path_mtu_lowered,
                                Counter::drop_vlan, Counter::ndp_in}) {
    INFO(kCounterNames[static_cast<size_t>(counter)]);
    CHECK(reach.counters.get(counter) > 0);
  }
}
