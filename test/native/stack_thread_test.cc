// StackThread: turns, control between turns, start and stop; HiccupProbe by explicit time.
#include "native/stack/stack_thread.hh"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/eventfd.h>

#include <stdexcept>
#include <thread>

using namespace qstack;

TEST_CASE("turns are taken with a clock that never goes back, until stop") {
  uint32_t turns = 0;
  Nanos last = 0;
  bool ordered = true;
  StackThread thread(
      [&](Nanos now) {
        ordered = ordered && now >= last;
        last = now;
        ++turns;
        return 0u;
      },
      {.name = "turns"});
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  thread.stop();
  const uint32_t at_stop = turns;
  CHECK(at_stop > 0);
  CHECK(ordered);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  CHECK(turns == at_stop);
  thread.stop();
}

TEST_CASE("a call runs in the stack's thread between two turns, and its caller waits for it") {
  for (const PollMode poll : {PollMode::yield, PollMode::sleep}) {
    pthread_t turner{};
    uint32_t inside = 0;
    StackThread thread(
        [&](Nanos) {
          turner = pthread_self();
          ++inside;
          --inside;
          return 0u;
        },
        {.name = "calls", .poll = poll});
    uint32_t sum = 0;
    for (uint32_t i = 1; i <= 100; ++i) {
      thread.call([&] {
        CHECK(pthread_equal(pthread_self(), turner));
        CHECK(inside == 0);
        sum += i;
      });
    }
    CHECK(sum == 5050);
  }
}

TEST_CASE("callers in several threads are served one after the other") {
  uint32_t sum = 0;
  StackThread thread([](Nanos) { return 1u; }, {.name = "callers", .poll = PollMode::yield});
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) thread.call([&] { ++sum; });
  });
  for (int i = 0; i < 200; ++i) thread.call([&] { ++sum; });
  other.join();
  CHECK(sum == 400);
}

TEST_CASE("what a call throws reaches its caller, and the thread goes on") {
  StackThread thread([](Nanos) { return 0u; }, {.name = "throws"});
  CHECK_THROWS_WITH(thread.call([] { throw std::runtime_error("no"); }), "no");
  bool ran = false;
  thread.call([&] { ran = true; });
  CHECK(ran);
}

TEST_CASE("after stop a call runs in its caller") {
  StackThread thread([](Nanos) { return 0u; }, {.name = "stopped"});
  thread.stop();
  bool ran = false;
  thread.call([&] { ran = pthread_equal(pthread_self(), pthread_self()); });
  CHECK(ran);
}

TEST_CASE("the thread has its name and its core, and tells when it starts and stops") {
  char name[16] = {};
  cpu_set_t cores;
  int first = -1;
  CHECK(sched_getaffinity(0, sizeof(cores), &cores) == 0);
  for (int core = CPU_SETSIZE; core-- > 0;) {
    if (CPU_ISSET(core, &cores)) first = core;
  }
  int started = 0;
  std::atomic<int> stopped{0};
  {
    StackThread thread([](Nanos) { return 0u; }, {.name = "a-name-that-is-too-long",
                                                  .core = first,
                                                  .on_start = [&] { ++started; },
                                                  .on_stop = [&] { ++stopped; }});
    thread.call([&] {
      pthread_getname_np(pthread_self(), name, sizeof(name));
      pthread_getaffinity_np(pthread_self(), sizeof(cores), &cores);
    });
    CHECK(started == 1);
    CHECK(stopped == 0);
  }
  CHECK(stopped == 1);
  CHECK(std::string(name) == "a-name-that-is-");
  CHECK(CPU_COUNT(&cores) == 1);
  CHECK(CPU_ISSET(first, &cores));
}

namespace {

/// Its frames are counts of an eventfd, which is readable as long as it is armed.
class EventPort final : public Port {
 public:
  uint32_t rx_burst(Packet**, uint32_t, Nanos) override { return frames.exchange(0); }
  uint32_t tx_burst(Packet**, uint32_t, Nanos) override { return 0; }
  MacAddress mac() const override { return {}; }
  uint16_t mtu() const override { return 1500; }
  bool link_up() override { return true; }
  int wake_fd() const override { return event.get(); }
  void arm() override { armed = true; }
  void disarm() override {
    armed = false;
    eventfd_t count;
    eventfd_read(event.get(), &count);
  }
  void send() {
    ++frames;
    if (armed) eventfd_write(event.get(), 1);
  }

  Descriptor event{eventfd(0, EFD_NONBLOCK)};
  std::atomic<uint32_t> frames{0};
  std::atomic<bool> armed{false};
};

/// Nobody wakes by the time.
Nanos in_an_hour(Nanos now) { return now + 3'600'000'000'000; }

bool becomes(const std::atomic<uint32_t>& value, uint32_t wanted) {
  for (int ms = 0; ms < 20'000 && value != wanted; ++ms) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return value == wanted;
}

}  // namespace

TEST_CASE("a sleeping thread is woken by a frame, by who rings and by a call, and takes no turn otherwise") {
  EventPort port;
  Doorbell bell;
  std::atomic<uint32_t> turns{0}, received{0}, written{0}, seen{0};
  const auto turn = [&](Nanos now) {
    ++turns;
    const uint32_t frames = port.rx_burst(nullptr, 1, now), words = written - seen;
    received += frames;
    seen += words;
    return frames + words;
  };
  StackThread thread(turn, {.name = "sleeps", .poll = PollMode::sleep, .port = &port, .bell = &bell, .deadline = in_an_hour});
  for (uint32_t round = 1; round <= 20; ++round) {
    const uint32_t before = turns;
    std::this_thread::sleep_for(std::chrono::milliseconds(round % 4));
    port.send();
    CHECK(becomes(received, round));
    ++written;
    bell.ring();
    CHECK(becomes(seen, round));
    uint32_t called = 0;
    thread.call([&] { called = round; });
    CHECK(called == round);
    CHECK(turns > before);
  }
  for (int ms = 0; ms < 20'000 && !port.armed; ++ms) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const uint32_t asleep = turns;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(turns == asleep);
}

TEST_CASE("a port that rings without end keeps no thread from napping") {
  const Descriptor rung(eventfd(1, EFD_NONBLOCK));
  Doorbell bell;
  class Ringing final : public Port {
   public:
    explicit Ringing(int fd) : fd_(fd) {}
    uint32_t rx_burst(Packet**, uint32_t, Nanos) override { return 0; }
    uint32_t tx_burst(Packet**, uint32_t, Nanos) override { return 0; }
    MacAddress mac() const override { return {}; }
    uint16_t mtu() const override { return 1500; }
    bool link_up() override { return true; }
    int wake_fd() const override { return fd_; }

   private:
    int fd_;
  } port(rung.get());
  std::atomic<uint32_t> turns{0};
  const auto turn = [&](Nanos) {
    ++turns;
    return 0u;
  };
  StackThread thread(turn, {.name = "rings", .poll = PollMode::sleep, .port = &port, .bell = &bell, .deadline = in_an_hour});
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const uint32_t before = turns;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(turns > before);
  CHECK(turns - before < 10'000);
}

TEST_CASE("a sleeping thread is back when its deadline says, and stops at once") {
  EventPort port;
  Doorbell bell;
  std::atomic<uint32_t> turns{0};
  const auto turn = [&](Nanos) {
    ++turns;
    return 0u;
  };
  const StackThreadConfig config{.name = "sleeps", .poll = PollMode::sleep, .port = &port, .bell = &bell};
  StackThreadConfig soon = config, late = config;
  soon.deadline = [](Nanos now) { return now + 1'000'000; };
  late.deadline = in_an_hour;
  {
    StackThread thread(turn, soon);
    const uint32_t before = turns;
    for (int ms = 0; ms < 20'000 && turns < before + 500; ++ms) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(turns >= before + 500);
  }
  StackThread thread(turn, late);
  for (int ms = 0; ms < 20'000 && !port.armed; ++ms) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  thread.stop();
  CHECK_FALSE(port.armed);
}

TEST_CASE("a thread that cannot start says why") {
  const auto turn = [](Nanos) { return 0u; };
  CHECK_THROWS_WITH(StackThread(turn, {.name = "x", .on_start = [] { throw std::runtime_error("refused"); }}),
                    "refused");
  CHECK_THROWS_WITH(StackThread(turn, {.name = "x", .core = 1000}), doctest::Contains("core 1000"));
}

TEST_CASE("the probe records the largest gap of each millisecond") {
  HiccupProbe probe;
  Nanos now = 1'000'000'000;
  for (int window = 0; window < 1000; ++window) {
    for (int turn = 0; turn < 100; ++turn) probe.idle(now += 10'000);
  }
  const HiccupProbe::Summary summary = probe.summary();
  CHECK(summary.windows >= 990);
  CHECK(summary.windows <= 1001);
  CHECK(summary.p50 == 10'000);
  CHECK(summary.max == 10'000);
}

TEST_CASE("a gap longer than a window counts for every window that it covers") {
  HiccupProbe probe;
  Nanos now = 1'000'000'000;
  for (int turn = 0; turn < 9'000; ++turn) probe.idle(now += 10'000);
  probe.idle(now += 10'000'000);
  probe.idle(now += 10'000);
  const HiccupProbe::Summary summary = probe.summary();
  CHECK(summary.max == 10'000'000);
  CHECK(summary.p50 < 13'000);
  CHECK(summary.p99 == 10'000'000);
}

TEST_CASE("work and naps between two idle turns are no hiccup") {
  HiccupProbe probe;
  probe.idle(1'000'000'000);
  probe.interrupt();
  probe.idle(2'000'000'000);
  probe.idle(2'002'000'000);
  CHECK(probe.summary().max == 2'000'000);
  probe.reset();
  CHECK(probe.summary().windows == 0);
}
