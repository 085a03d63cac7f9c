// SteeringPort and SteeredPort: frames find their stack and the device, in order, and their packets come home.
#include "native/steer/steered_port.hh"

#include "native/wire/arp.hh"
#include "native/wire/vlan.hh"
#include "test/native/steer_bench.hh"

using namespace qstack;
using namespace qstack::test;

TEST_CASE("each frame comes to the stack of its group, in order, and to no other") {
  SteerBench bench(3, 64);
  std::vector<std::vector<uint32_t>> expected(3);
  for (uint32_t flow = 0; flow < 100; ++flow) {
    REQUIRE(send(bench.far, bench.far_pools.tx, flow, flow));
    expected[stack_of(bench, flow)].push_back(flow);
  }
  std::vector<uint32_t> own = numbers(*bench.first, bench.pools.rx);
  for (uint32_t flow : numbers(*bench.first, bench.pools.rx)) own.push_back(flow);
  CHECK(own == expected[0]);
  for (uint32_t stack = 1; stack < 3; ++stack) {
    CHECK(expected[stack].size() > 10);
    CHECK(numbers(*bench.others[stack - 1], bench.other_pools[stack - 1]->rx) == expected[stack]);
    CHECK(bench.first->counts(stack).steered == expected[stack].size());
    CHECK(bench.first->counts(stack).dropped == 0);
  }
  CHECK(bench.all_home());
}

TEST_CASE("a poll goes on until the first stack has its burst, and what is too much for it waits") {
  SteerBench bench(2, 128);
  const uint32_t own = flow_of_stack(bench, 0), other = flow_of_stack(bench, 1);
  for (uint32_t i = 0; i < 128; ++i) REQUIRE(send(bench.far, bench.far_pools.tx, i % 2 == 0 ? own : other, i));
  CHECK(numbers(*bench.first, bench.pools.rx, 40).size() == 40);
  CHECK(bench.device.waiting() == 0);
  CHECK(numbers(*bench.first, bench.pools.rx, 40).size() == 24);
  CHECK(numbers(*bench.others[0], bench.other_pools[0]->rx).size() == 64);
}

TEST_CASE("frames keep the stamp of the first poll, and are numbered by the stack that gets them") {
  SteerBench bench(2, 64);
  const uint32_t flow = flow_of_stack(bench, 1);
  for (uint32_t i = 0; i < 3; ++i) REQUIRE(send(bench.far, bench.far_pools.tx, i == 1 ? flow_of_stack(bench, 0) : flow, i));
  numbers(*bench.first, bench.pools.rx, 64, 6'400);
  Packet* burst[4];
  REQUIRE(bench.others[0]->rx_burst(burst, 4, 64'000) == 2);
  for (uint32_t i = 0; i < 2; ++i) {
    CHECK(burst[i]->rx_stamp == 100);
    CHECK(burst[i]->arrival == i);
    CHECK(burst[i]->length == kLength);
    bench.other_pools[0]->rx.release(burst[i]);
  }
}

TEST_CASE("a stack that does not poll loses its own frames, counted, and no packet of the device for long") {
  SteerBench bench(2, 16);
  const uint32_t own = flow_of_stack(bench, 0), other = flow_of_stack(bench, 1);
  for (uint32_t i = 0; i < 60; ++i) REQUIRE(send(bench.far, bench.far_pools.tx, i < 30 ? other : own, i));
  CHECK(numbers(*bench.first, bench.pools.rx).size() == 30);
  CHECK(bench.first->counts(1).steered == 16);
  CHECK(bench.first->counts(1).dropped == 14);
  CHECK(bench.pools.rx.available() == kPackets - 16);
  const std::vector<uint32_t> kept = numbers(*bench.others[0], bench.other_pools[0]->rx);
  REQUIRE(kept.size() == 16);
  CHECK(kept.back() == 15);
  numbers(*bench.first, bench.pools.rx);
  CHECK(bench.pools.rx.available() == kPackets);
  REQUIRE(send(bench.far, bench.far_pools.tx, other, 99));
  numbers(*bench.first, bench.pools.rx);
  CHECK(numbers(*bench.others[0], bench.other_pools[0]->rx) == std::vector<uint32_t>{99});
}

TEST_CASE("a group that is given to another stack takes what comes from then on with it") {
  SteerBench bench(2, 64);
  const uint32_t flow = flow_of_stack(bench, 1);
  REQUIRE(send(bench.far, bench.far_pools.tx, flow, 1));
  CHECK(numbers(*bench.first, bench.pools.rx).empty());
  const uint32_t hash = bench.steering.hash.flow(kTheirs, static_cast<uint16_t>(kFirstPort + flow), kOurs, 80);
  bench.steering.groups.assign(FlowGroups::group_of(hash), 0);
  REQUIRE(send(bench.far, bench.far_pools.tx, flow, 2));
  CHECK(numbers(*bench.first, bench.pools.rx) == std::vector<uint32_t>{2});
  CHECK(numbers(*bench.others[0], bench.other_pools[0]->rx) == std::vector<uint32_t>{1});
}

TEST_CASE("an ARP reply comes to every stack") {
  SteerBench bench(3, 64);
  Packet* packet = bench.far_pools.tx.allocate();
  packet->length = kEthernetHeader + kArpLength;
  write_ethernet(packet->data, kMac, {}, kEtherTypeArp);
  write_arp(packet->data + kEthernetHeader, {ArpOperation::reply, {}, kTheirs, kMac, kOurs});
  REQUIRE(bench.far.tx_burst(&packet, 1, 0) == 1);
  for (uint32_t stack = 0; stack < 3; ++stack) {
    Port& port = stack == 0 ? static_cast<Port&>(*bench.first) : *bench.others[stack - 1];
    Packet* copy = nullptr;
    REQUIRE(port.rx_burst(&copy, 1, 0) == 1);
    CHECK(ethernet_type(copy->data) == kEtherTypeArp);
    CHECK(copy->length == kEthernetHeader + kArpLength);
    (stack == 0 ? bench.pools : *bench.other_pools[stack - 1]).rx.release(copy);
  }
  CHECK(bench.all_home());
}

TEST_CASE("a frame that the first stack gives back goes to its stack, with the tag that it came with") {
  SteerBench bench(2, 16);
  for (const bool tagged : {false, true}) {
    Packet* const packet = bench.pools.rx.allocate();
    packet->length = kLength;
    packet->tag = tagged ? 0x8100'2005 : 0;
    write_segment(packet->data, flow_of_stack(bench, 1), 7);
    REQUIRE(bench.first->steerer().take(packet));
    Packet* copy = nullptr;
    REQUIRE(bench.others[0]->rx_burst(&copy, 1, 0) == 1);
    const uint16_t tag = tagged ? kVlanTag : 0;
    REQUIRE(copy->length == kLength + tag);
    if (tagged) {
      CHECK(load_be32(copy->data + 12) == 0x8100'2005);
      remove_tag(copy->data);
    }
    uint8_t expected[kLength];
    write_segment(expected, flow_of_stack(bench, 1), 7);
    CHECK(std::memcmp(copy->data + tag, expected, kEthernetHeader + kIpv4Header) == 0);
    CHECK(load_be32(copy->data + tag + kNumberAt) == 7);
    bench.other_pools[0]->rx.release(copy);
    numbers(*bench.first, bench.pools.rx);
  }
  CHECK(bench.first->counts(1).steered == 2);
  Packet* const own = bench.pools.rx.allocate();
  own->length = kLength;
  write_segment(own->data, flow_of_stack(bench, 0), 8);
  CHECK_FALSE(bench.first->steerer().take(own));
  bench.pools.rx.release(own);
  CHECK(bench.all_home());
}

TEST_CASE("a frame that is given back and finds no room is dropped and counted") {
  SteerBench bench(2, 16);
  for (uint32_t i = 0; i < 18; ++i) {
    Packet* const packet = bench.pools.rx.allocate();
    write_segment(packet->data, flow_of_stack(bench, 1), i);
    packet->length = i == 0 ? kRoom - 2 : kLength;
    packet->tag = i == 0 ? 0x8100'0005 : 0;  // too long with it
    CHECK(bench.first->steerer().take(packet));
  }
  CHECK(bench.first->counts(1).steered == 16);
  CHECK(bench.first->counts(1).dropped == 2);
  CHECK(numbers(*bench.others[0], bench.other_pools[0]->rx).size() == 16);
  CHECK(bench.all_home());
}

TEST_CASE("what other stacks send leaves by the device, and their packets come home") {
  SteerBench bench(2, 64);
  for (uint32_t i = 0; i < 10; ++i) REQUIRE(send(*bench.others[0], bench.other_pools[0]->tx, 0, i));
  CHECK(bench.other_pools[0]->tx.available() == kPackets - 10);
  CHECK(numbers(*bench.first, bench.pools.rx).empty());
  CHECK(bench.first->steerer().take_moved() == 10);
  CHECK(bench.first->steerer().take_moved() == 0);
  CHECK(bench.first->counts(1).forwarded == 10);
  const std::vector<uint32_t> sent = numbers(bench.far, bench.far_pools.rx);
  REQUIRE(sent.size() == 10);
  for (uint32_t i = 0; i < 10; ++i) CHECK(sent[i] == i);
  numbers(*bench.others[0], bench.other_pools[0]->rx);
  CHECK(bench.other_pools[0]->tx.available() == kPackets);
  CHECK(bench.all_home());
}

TEST_CASE("a device that takes no more fills the way, and nothing of it is lost") {
  SteerBench bench(2, 16, 8);
  uint32_t sent = 0;
  for (uint32_t turn = 0; turn < 5; ++turn) {
    while (send(*bench.others[0], bench.other_pools[0]->tx, 0, sent)) ++sent;
    numbers(*bench.first, bench.pools.rx);
  }
  CHECK(sent == 16 + 16);  // on the way, and with the first stack or the device
  CHECK(bench.others[0]->refused() >= 1);
  std::vector<uint32_t> arrived;
  for (uint32_t turn = 0; turn < 10; ++turn) {
    for (uint32_t number : numbers(bench.far, bench.far_pools.rx)) arrived.push_back(number);
    numbers(*bench.first, bench.pools.rx);
  }
  REQUIRE(arrived.size() == sent);
  for (uint32_t i = 0; i < sent; ++i) CHECK(arrived[i] == i);
  CHECK(bench.all_home());
}

TEST_CASE("a frame that its stack keeps is not changed by anybody while it is on its way") {
  SteerBench bench(2, 16);
  Packet* packet = bench.other_pools[0]->tx.allocate();
  packet->length = kLength;
  bench.other_pools[0]->tx.hold(packet);
  REQUIRE(bench.others[0]->tx_burst(&packet, 1, 0) == 1);
  numbers(*bench.first, bench.pools.rx);
  CHECK(bench.other_pools[0]->tx.shared(packet));
  numbers(*bench.others[0], bench.other_pools[0]->rx);
  CHECK_FALSE(bench.other_pools[0]->tx.shared(packet));
  bench.other_pools[0]->tx.release(packet);
  CHECK(bench.all_home());
}

TEST_CASE("the other stacks hear of the link within a millisecond of the first one's turns") {
  SteerBench bench(2, 16);
  CHECK(bench.others[0]->link_up());
  bench.device.set_link(false);
  numbers(*bench.first, bench.pools.rx, 64, 3'000'000);
  CHECK_FALSE(bench.others[0]->link_up());
}

TEST_CASE("whatever is on its way when all end goes home") {
  SteerBench bench(3, 16);
  for (uint32_t flow = 0; flow < 40; ++flow) REQUIRE(send(bench.far, bench.far_pools.tx, flow, flow));
  for (uint32_t i = 0; i < 12; ++i) REQUIRE(send(*bench.others[1], bench.other_pools[1]->tx, 0, i));
  Packet* one = nullptr;
  REQUIRE(bench.first->rx_burst(&one, 1, 0) == 1);
  bench.pools.rx.release(one);
  for (uint32_t i = 0; i < 4; ++i) REQUIRE(send(*bench.others[0], bench.other_pools[0]->tx, 0, i));
  CHECK(bench.all_home());
}
