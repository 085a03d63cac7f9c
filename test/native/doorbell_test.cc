// Doorbell: what ends a sleep, what does not, and that no ring is lost between them.
#include "native/stack/doorbell.hh"

#include <doctest/doctest.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>

using namespace qstack;

namespace {
/// Nobody waits for so long: a sleep that takes it was not ended.
constexpr Nanos kLong = 60'000'000'000;
constexpr Nanos kShort = 1'000'000;
}  // namespace

TEST_CASE("a ring ends a sleep, before it has begun or while it lasts") {
  Doorbell bell;
  bell.attend();
  bell.ring();
  CHECK(bell.sleep(kLong));
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    bell.ring();
  });
  CHECK(bell.sleep(kLong));
  other.join();
}

TEST_CASE("while nobody attends a ring is nothing, and one that was heard is not heard again") {
  Doorbell bell;
  bell.ring();
  bell.attend();
  CHECK_FALSE(bell.sleep(kShort));
  bell.ring();
  CHECK(bell.sleep(kLong));
  CHECK_FALSE(bell.sleep(kShort));
  bell.leave();
  bell.ring();
  bell.attend();
  CHECK_FALSE(bell.sleep(kShort));
}

TEST_CASE("what is watched rings as long as it is readable") {
  Doorbell bell;
  const Descriptor watched(eventfd(0, EFD_NONBLOCK));
  bell.watch(watched.get());
  bell.watch(watched.get());
  bell.attend();
  CHECK_FALSE(bell.sleep(kShort));
  eventfd_write(watched.get(), 1);
  CHECK(bell.sleep(kLong));
  CHECK(bell.sleep(kLong));
  eventfd_t count = 0;
  eventfd_read(watched.get(), &count);
  CHECK_FALSE(bell.sleep(kShort));
  CHECK_THROWS(bell.watch(-1));
}

TEST_CASE("whoever writes and then rings is seen, whenever that is") {
  constexpr uint32_t kWords = 20'000;
  Doorbell bell;
  std::atomic<uint32_t> written{0}, seen{0};
  std::thread writer([&] {
    for (uint32_t i = 1; i <= kWords; ++i) {
      written.store(i, std::memory_order_relaxed);
      bell.ring();
      while (seen.load(std::memory_order_relaxed) < i) std::this_thread::yield();
    }
  });
  bool lost = false;
  while (seen.load() < kWords && !lost) {
    bell.attend();
    const uint32_t before = seen.load();
    if (written.load(std::memory_order_relaxed) == before) lost = !bell.sleep(kLong);
    bell.leave();
    seen.store(written.load(std::memory_order_relaxed));
  }
  CHECK_FALSE(lost);
  seen.store(kWords);
  writer.join();
}
