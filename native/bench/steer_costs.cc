// What it costs to give a frame to another stack: finding out whose it is, and the way there and home (native/steer).
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "native/bench/micro.hh"
#include "native/mempool/heap_pool.hh"
#include "native/stack/stack_thread.hh"
#include "native/steer/steered_port.hh"
#include "native/steer/steering_port.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/tcp.hh"

namespace qstack::bench {

namespace {

constexpr uint32_t kPackets = 4'096, kCapacity = 1'024, kBurst = 64;
constexpr uint16_t kLength = 254;

/// A device that always has frames: 200 bytes of payload, of many flows. They stand in its packets from the start on.
class Source final : public Port {
 public:
  Source() {
    Packet* packets[kPackets];
    pool_.allocate(packets, kPackets);
    for (uint32_t i = 0; i < kPackets; ++i) {
      write(packets[i]->data, static_cast<uint16_t>(1'024 + i));
      pool_.release(packets[i]);
    }
  }

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos) override {
    n = std::min(n, pool_.available());
    if (n == 0 || pool_.allocate(out, n) == 0) return 0;
    for (uint32_t i = 0; i < n; ++i) out[i]->length = kLength;
    return n;
  }
  uint32_t tx_burst(Packet**, uint32_t, Nanos) override { return 0; }
  MacAddress mac() const override { return {}; }
  uint16_t mtu() const override { return 1'500; }
  bool link_up() override { return true; }

  HeapPool& pool() { return pool_; }

 private:
  static void write(uint8_t* frame, uint16_t port) {
    write_ethernet(frame, {}, {}, kEtherTypeIpv4);
    write_ipv4(frame + kEthernetHeader, 0x0a000002, 0x0a000001, kProtocolTcp, kLength - kEthernetHeader);
    write_tcp_header(frame + kEthernetHeader + kIpv4Header, port, 80, 0, 0, kTcpHeader, kAck, 0);
  }

  HeapRegion region_{kPackets};
  HeapPool pool_{region_.region(), 0, kPackets};
};

/// A device, and two stacks of which the second has all flows.
struct Bench {
  Bench() {
    for (uint32_t group = 0; group < FlowGroups::kGroups; ++group) steering.groups.assign(group, 1);
  }

  void poll_first() {
    Packet* burst[kBurst];
    first.rx_burst(burst, kBurst, 0);
  }

  /// Frames that came to the second stack.
  uint32_t poll_second() {
    Packet* burst[kBurst];
    const uint32_t n = second.rx_burst(burst, kBurst, 0);
    for (uint32_t i = 0; i < n; ++i) pool.release(burst[i]);
    return n;
  }

  FlowSteering steering{{1, 2, 3, 4}, 2};
  SteerLink link{kCapacity};
  Source source;
  HeapRegion region{kPackets};
  HeapPool pool{region.region(), 0, kPackets};
  SteeringPort first{source, source.pool(), source.pool(), steering, {&link}};
  SteeredPort second{link, pool, pool, {}, 1'500};
};

double target(uint32_t frames) {
  Bench bench;
  Packet* burst[kBurst];
  bench.source.rx_burst(burst, kBurst, 0);
  uint32_t sum = 0;
  const Nanos start = monotonic_now();
  for (uint32_t i = 0; i < frames; ++i) {
    const FrameTarget found = frame_target(burst[i % kBurst]->data, kLength, bench.steering.hash);
    sum += bench.steering.groups.stack_of(found.hash);
  }
  return sum != frames ? -1 : static_cast<double>(monotonic_now() - start) / frames;
}

double one_thread(uint32_t frames) {
  Bench bench;
  const Nanos start = monotonic_now();
  for (uint32_t got = 0; got < frames;) {
    bench.poll_first();
    while (const uint32_t n = bench.poll_second()) got += n;
  }
  return static_cast<double>(monotonic_now() - start) / frames;
}

/// The slower of the two threads decides.
double two_threads(uint32_t frames) {
  Bench bench;
  std::atomic<bool> over{false};
  const Nanos start = monotonic_now();
  std::thread polling([&] {
    for (uint64_t before = 0; !over.load(std::memory_order_relaxed);) {
      bench.poll_first();
      const uint64_t steered = bench.first.counts(1).steered;
      if (steered == before) sched_yield();
      before = steered;
    }
  });
  for (uint32_t got = 0; got < frames;) {
    const uint32_t n = bench.poll_second();
    if (n == 0) sched_yield();
    got += n;
  }
  const Nanos end = monotonic_now();
  over = true;
  polling.join();
  return static_cast<double>(end - start) / frames;
}

}  // namespace

Costs steer_costs(uint32_t frames) {
  return {{"target_ns", target(frames)}, {"one_thread_ns", one_thread(frames)}, {"two_threads_ns", two_threads(frames)}};
}

}  // namespace qstack::bench
