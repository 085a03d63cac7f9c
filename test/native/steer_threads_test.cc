// Two threads behind one device: one polls it, and both answer.
#include <doctest/doctest.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <thread>
#include <utility>

#include "native/steer/queue_ports.hh"
#include "test/native/steer_bench.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

struct Echoes {
  uint32_t seen, answered;
};

/// Receives a burst and sends it back as it came, as far as it is taken.
Echoes echo(Port& port, SteerPools& pools) {
  Packet* burst[32];
  Echoes echoes = {port.rx_burst(burst, 32, 0), 0};
  for (uint32_t i = 0; i < echoes.seen; ++i) {
    Packet* answer = pools.tx.allocate();
    if (answer != nullptr) {
      std::memcpy(answer->data, burst[i]->data, burst[i]->length);
      answer->length = burst[i]->length;
      if (port.tx_burst(&answer, 1, 0) == 1) {
        ++echoes.answered;
      } else {
        pools.tx.release(answer);
      }
    }
    pools.rx.release(burst[i]);
  }
  return echoes;
}

/// Echoes of a thread of its own.
struct FarEcho {
  FarEcho(Port& port, SteerPools& pools)
      : thread([this, &port, &pools] {
          while (!over.load(std::memory_order_relaxed)) {
            const Echoes echoes = echo(port, pools);
            answered.fetch_add(echoes.answered, std::memory_order_relaxed);
            seen.fetch_add(echoes.seen, std::memory_order_release);
            if (echoes.seen == 0) sched_yield();
          }
        }) {}
  void stop() {
    over = true;
    thread.join();
  }

  std::atomic<bool> over{false};
  std::atomic<uint32_t> seen{0}, answered{0};
  std::thread thread;
};

/// Numbered frames of 32 flows go out, and echoes come back: each at most once, in the order of its flow.
struct Peer {
  static constexpr uint32_t kFlows = 32;

  Peer(Port& port, SteerPools& pools) : port(port), pools(pools) {}

  void turn(uint32_t most) {
    if (sent < most && send(port, pools.tx, sent % kFlows, sent)) ++sent;
    Packet* burst[32];
    const uint32_t n = port.rx_burst(burst, 32, 0);
    for (uint32_t i = 0; i < n; ++i) take(burst[i]);
    received += n;
  }

  void take(Packet* packet) {
    const uint32_t flow = flow_of(packet->data), number = load_be32(packet->data + kNumberAt);
    if (number % kFlows != flow || number < next[flow]) ++wrong;
    next[flow] = number + 1;
    pools.rx.release(packet);
  }

  Port& port;
  SteerPools& pools;
  uint32_t sent = 0, received = 0, wrong = 0;
  std::array<uint32_t, kFlows> next{};
};

}  // namespace

TEST_CASE("two threads: each flow's frames come back once, in order, or are counted as dropped") {
  constexpr uint32_t kFrames = 60'000, kWindow = 16, kTurnsMax = 5'000'000;
  SteerBench bench(2, 32);
  SteerCounts counts;
  FarEcho other(*bench.others[0], *bench.other_pools[0]);
  Peer peer(bench.far, bench.far_pools);
  uint32_t seen = 0, answered = 0;
  bool done = false;
  for (uint32_t turns = 0; !done && turns < kTurnsMax; ++turns) {
    const bool crowded = peer.sent - seen - other.seen.load(std::memory_order_relaxed) >= kWindow;
    const bool waits = peer.sent < kFrames / 2 && crowded;  // none of the first half is dropped
    peer.turn(waits ? 0 : kFrames);
    const Echoes echoes = echo(*bench.first, bench.pools);
    seen += echoes.seen;
    answered += echoes.answered;
    counts = bench.first->counts(1);
    const bool steered = seen + counts.steered + counts.dropped == kFrames;
    const bool all_seen = other.seen.load(std::memory_order_acquire) == counts.steered;
    done = steered && all_seen && peer.received == answered + other.answered.load(std::memory_order_relaxed);
    if (waits || peer.sent == kFrames) sched_yield();
  }
  other.stop();
  counts = bench.first->counts(1);
  CHECK(done);
  CHECK(peer.wrong == 0);
  CHECK(counts.steered > kFrames / 8);
  CHECK(counts.forwarded == other.answered);
  CHECK(seen > kFrames / 4);
  CHECK(bench.all_home());
}

namespace {

/// Polls a queue of its own in a thread of its own, until the queues of both are empty and nothing comes from the other any more.
struct QueueReader {
  static constexpr uint32_t kFlows = 32, kEmptyPolls = 3;

  QueueReader(QueuePort& port, HeapPool& pool, std::atomic<uint32_t>& exhausted)
      : thread([this, &port, &pool, &exhausted] {
          uint32_t empty = 0;
          for (bool last = false, over = false; !over;) {
            Packet* burst[64];
            const uint32_t n = port.rx_burst(burst, 64, 0);
            for (uint32_t i = 0; i < n; ++i) take(burst[i], pool);
            empty = n == 0 ? empty + 1 : 0;
            if (empty == kEmptyPolls && !std::exchange(told, true)) exhausted.fetch_add(1, std::memory_order_release);
            over = last && n == 0;
            last = exhausted.load(std::memory_order_acquire) == 2;
            if (n == 0) sched_yield();
          }
        }) {}

  void take(Packet* packet, HeapPool& pool) {
    const uint32_t flow = flow_of(packet->data), number = load_be32(packet->data + kNumberAt);
    if (number < next[flow]) ++wrong;
    next[flow] = number + 1;
    ++of_flow[flow];
    ++seen;
    pool.release(packet);
  }

  bool told = false;
  uint32_t wrong = 0, seen = 0;
  std::array<uint32_t, kFlows> next{}, of_flow{};
  std::thread thread;
};

}  // namespace

TEST_CASE("two threads with a queue each give each other what is the other's, each flow in order, or count it as dropped") {
  constexpr uint32_t kFrames = 30'000;
  SteerPools pools[2];
  PairPort queues[2] = {{pools[0].rx, pools[0].tx, kMac}, {pools[1].rx, pools[1].tx, kMac}};
  FlowSteering steering({1, 2, 3, 4}, 2);
  {
    QueuePorts ports({&queues[0], &queues[1]}, steering, {&pools[0].rx, &pools[1].rx});
    std::array<uint8_t, kLength> frame{};
    for (uint32_t number = 0; number < kFrames; ++number) {
      const uint32_t flow = number % QueueReader::kFlows;
      write_segment(frame.data(), flow, number);
      queues[flow / 2 % 2].inject(frame);
    }
    std::atomic<uint32_t> exhausted{0};
    QueueReader readers[2] = {{ports.port(0), pools[0].rx, exhausted}, {ports.port(1), pools[1].rx, exhausted}};
    for (QueueReader& reader : readers) reader.thread.join();
    uint32_t crossing[2] = {};
    for (uint32_t flow = 0; flow < QueueReader::kFlows; ++flow) {
      const uint32_t own = steering.stack_of(kTheirs, static_cast<uint16_t>(kFirstPort + flow), kOurs, 80);
      CHECK(readers[1 - own].of_flow[flow] == 0);
      if (flow / 2 % 2 == own) CHECK(readers[own].of_flow[flow] == (kFrames - flow - 1) / QueueReader::kFlows + 1);
      if (flow / 2 % 2 != own) crossing[own] += readers[own].of_flow[flow];
    }
    for (uint32_t stack = 0; stack < 2; ++stack) {
      CHECK(readers[stack].wrong == 0);
      CHECK(ports.counts(stack).steered == crossing[1 - stack]);
      CHECK(crossing[stack] > 0);
    }
    CHECK(readers[0].seen + readers[1].seen + ports.counts(0).dropped + ports.counts(1).dropped == kFrames);
  }
  for (SteerPools& each : pools) CHECK(each.all_home());
}
