// Stack::next_deadline: a turn before it finds nothing to do, and the one at it is in time.
#include <doctest/doctest.h>

#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr Nanos kMilli = 1'000'000;

/// Takes each millisecond's turn although nothing comes, for so long; returns how many of them had something to do.
uint32_t turns_with_work(World& world, uint64_t ms) {
  Stack& stack = world.server.stack;
  uint32_t worked = 0;
  Nanos deadline = 0;
  for (uint64_t i = 0; i < ms; ++i) {
    world.now += kMilli;
    const uint32_t work = stack.turn(world.now);
    if (world.now < deadline) REQUIRE(work == 0);
    worked += work != 0;
    deadline = stack.next_deadline(world.now);
    REQUIRE(deadline > world.now);
    REQUIRE(deadline <= world.now + 65 * kMilli);
    if (work != 0) deadline = 0;  // it is told behind an idle turn
  }
  return worked;
}

}  // namespace

TEST_CASE("until a connection's timer is due a stack has nothing to do, and it is back for each of them: delayed ACKs, retransmissions") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  const Handle handle = peer.open();
  CHECK(turns_with_work(world, 1'000) <= 2);
  peer.send({.seq = peer.seq, .ack = peer.ack, .payload = "its ACK is delayed"});
  CHECK(turns_with_work(world, 1'000) == 1);
  peer.take();
  world.server.send(handle, "nobody acknowledges this");
  CHECK(turns_with_work(world, 20'000) >= 5);
  CHECK(world.server.count(Counter::retransmits) >= 4);
}

TEST_CASE("a stack that owes an ACK, or whose frames wait, is back within its tick") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  const Handle handle = peer.open();
  turns_with_work(world, 1'000);
  CHECK(world.server.stack.next_deadline(world.now) > world.now + kMilli);
  world.server.send(handle, "it waits for a turn");
  CHECK(world.server.stack.next_deadline(world.now) == world.now + kMilli);
}
