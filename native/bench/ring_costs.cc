// What an event costs between two threads: one writes records, the other looks at each.
#include <sched.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "native/bench/micro.hh"
#include "native/ring/spsc_ring.hh"
#include "native/stack/stack_thread.hh"

namespace qstack::bench {

namespace {

constexpr uint32_t kCapacity = 4'096;

struct Ring {
  abi::RingHeader header{};
  std::vector<abi::EventRecord> records{kCapacity};
  RingView<abi::EventRecord> view() { return {&header, records.data(), kCapacity}; }
};

void produce(Ring& ring, uint32_t events, uint32_t batch) {
  RingProducer<abi::EventRecord> producer(ring.view());
  abi::EventRecord record{};
  for (uint32_t sent = 0; sent < events;) {
    const uint32_t most = std::min(batch, events - sent);
    uint32_t done = 0;
    for (record.slot = sent; done < most && producer.push(record); ++done) ++record.slot;
    producer.publish();
    sent += done;
    if (done == 0) sched_yield();
  }
}

/// Nanoseconds for one event; each is looked at.
double between_threads(uint32_t events, uint32_t batch) {
  Ring ring;
  const Nanos start = monotonic_now();
  std::thread sender(produce, std::ref(ring), events, batch);
  RingConsumer<abi::EventRecord> consumer(ring.view());
  abi::EventRecord record{};
  uint32_t wrong = 0;
  for (uint32_t seen = 0; seen < events;) {
    if (consumer.refresh() == 0) sched_yield();
    for (; consumer.take(record); ++seen) wrong += record.slot != seen;
    consumer.publish();
  }
  sender.join();
  return wrong != 0 ? -1 : static_cast<double>(monotonic_now() - start) / events;
}

}  // namespace

Costs ring_costs(uint32_t events) {
  return {{"batch_ns", between_threads(events, 64)}, {"single_ns", between_threads(events, 1)}};
}

}  // namespace qstack::bench
