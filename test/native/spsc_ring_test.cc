// SPSC rings: order, capacity, wrap-around, publication, and words that lie.
#include "native/ring/spsc_ring.hh"

#include <doctest/doctest.h>

#include <memory>
#include <thread>
#include <vector>

using namespace qstack;

namespace {

struct Record {
  uint32_t number;
  uint32_t twice;
};

struct Ring {
  explicit Ring(uint32_t capacity, uint32_t start = 0) : records(capacity) { header->tail = header->head = start; }
  RingView<Record> view() { return {header.get(), records.data(), static_cast<uint32_t>(records.size())}; }

  std::unique_ptr<abi::RingHeader> header = std::make_unique<abi::RingHeader>();
  std::vector<Record> records;
};

}  // namespace

TEST_CASE("records come out in the order in which they went in, also where the free-running counts wrap") {
  Ring ring(8, 0xfffffffa);
  RingProducer<Record> producer(ring.view());
  RingConsumer<Record> consumer(ring.view());
  uint32_t expected = 0;
  for (uint32_t number = 0; number < 100;) {
    while (producer.push({number, number * 2})) ++number;
    producer.publish();
    CHECK(consumer.refresh() == 8);
    for (Record record; consumer.take(record); ++expected) CHECK(record.number == expected);
    consumer.publish();
  }
  CHECK(expected >= 100);
}

TEST_CASE("a full ring refuses until the consumer has published") {
  Ring ring(4);
  RingProducer<Record> producer(ring.view());
  RingConsumer<Record> consumer(ring.view());
  for (uint32_t i = 0; i < 4; ++i) CHECK(producer.push({i, 0}));
  CHECK_FALSE(producer.push({4, 0}));
  producer.publish();
  Record record;
  consumer.refresh();
  CHECK(consumer.take(record));
  CHECK_FALSE(producer.push({4, 0}));
  consumer.publish();
  CHECK(producer.push({4, 0}));
  CHECK_FALSE(producer.push({5, 0}));
}

TEST_CASE("a record is not seen before it is published") {
  Ring ring(4);
  RingProducer<Record> producer(ring.view());
  RingConsumer<Record> consumer(ring.view());
  CHECK(producer.push({1, 2}));
  CHECK(producer.unpublished());
  CHECK(consumer.refresh() == 0);
  producer.publish();
  CHECK_FALSE(producer.unpublished());
  CHECK(consumer.refresh() == 1);
}

TEST_CASE("a tail that lies reads as an empty ring, a head that lies as a full one") {
  Ring ring(4);
  RingProducer<Record> producer(ring.view());
  RingConsumer<Record> consumer(ring.view());
  for (const uint32_t lie : {5u, 6u, 0x80000000u, 0xffffffffu}) {
    ring.header->tail = lie;
    CHECK(consumer.refresh() == 0);
    Record record;
    CHECK_FALSE(consumer.take(record));
  }
  for (const uint32_t lie : {1u, 0x80000000u, 0xfffffffbu}) {
    ring.header->head = lie;
    CHECK(producer.room() == 0);
    CHECK_FALSE(producer.push({}));
  }
  ring.header->head = 0;
  CHECK(producer.room() == 4);
}

TEST_CASE("two threads: every record arrives once, in order and whole") {
  constexpr uint32_t kRecords = 200'000;
  Ring ring(256);
  std::thread writer([&] {
    RingProducer<Record> producer(ring.view());
    for (uint32_t number = 0; number < kRecords;) {
      for (uint32_t burst = 0; burst < 32 && number < kRecords && producer.push({number, number * 2}); ++burst)
        ++number;
      producer.publish();
      if (producer.room() == 0) std::this_thread::yield();
    }
  });
  RingConsumer<Record> consumer(ring.view());
  uint32_t expected = 0, wrong = 0;
  while (expected < kRecords) {
    if (consumer.refresh() == 0) std::this_thread::yield();
    for (Record record; consumer.take(record); ++expected) {
      if (record.number != expected || record.twice != expected * 2) ++wrong;
    }
    consumer.publish();
  }
  writer.join();
  CHECK(wrong == 0);
}
