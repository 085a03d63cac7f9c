// Mailbox: where control runs, who waits for whom, and what a closing owner still does.
#include "native/stack/mailbox.hh"

#include <doctest/doctest.h>
#include <sched.h>

#include <atomic>
#include <stdexcept>
#include <thread>

using namespace qstack;

TEST_CASE("while nobody has opened it work runs in its caller, as in the owner itself") {
  Mailbox mailbox;
  std::thread::id ran;
  mailbox.call([&] { ran = std::this_thread::get_id(); });
  CHECK(ran == std::this_thread::get_id());
  CHECK(!mailbox.served());
  CHECK(mailbox.open());
  CHECK(!mailbox.open());
  CHECK(mailbox.served_here());
  int calls = 0;
  mailbox.call([&] { ++calls; });
  mailbox.close();
  mailbox.call([&] { ++calls; });
  CHECK(calls == 2);
}

TEST_CASE("work of others runs in the owner, one after the other, and only the owner may open it") {
  Mailbox mailbox;
  std::atomic<bool> over{false}, opened{false};
  std::thread::id owner_id;
  std::thread owner([&] {
    owner_id = std::this_thread::get_id();
    CHECK(mailbox.open());
    opened = true;
    while (!over) {
      mailbox.serve();
      sched_yield();
    }
    mailbox.close();
  });
  while (!opened) sched_yield();
  CHECK(!mailbox.open());
  CHECK(mailbox.served());
  CHECK(!mailbox.served_here());
  uint32_t sum = 0, elsewhere = 0;
  const auto add = [&] {
    ++sum;
    elsewhere += std::this_thread::get_id() != owner_id;
  };
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) mailbox.call(add);
  });
  for (int i = 0; i < 200; ++i) mailbox.call(add);
  other.join();
  CHECK_THROWS_WITH(mailbox.call([] { throw std::runtime_error("no"); }), "no");
  over = true;
  owner.join();
  CHECK(sum == 400);
  CHECK(elsewhere == 0);
}

TEST_CASE("an owner that leaves serves whoever waits, and later callers do their work themselves") {
  for (int round = 0; round < 200; ++round) {
    Mailbox mailbox;
    std::atomic<bool> opened{false};
    std::thread owner([&] {
      mailbox.open();
      opened = true;
      mailbox.close();
    });
    while (!opened) sched_yield();
    int calls = 0;
    for (int i = 0; i < 3; ++i) mailbox.call([&] { ++calls; });
    owner.join();
    CHECK(calls == 3);
  }
}

TEST_CASE("a caller does not wait for ever for an owner that is busy elsewhere, and what it took back is not done later") {
  Mailbox mailbox;
  std::atomic<bool> opened{false}, over{false};
  std::thread owner([&] {
    mailbox.open();
    opened = true;
    while (!over) sched_yield();
    mailbox.close();
  });
  while (!opened) sched_yield();
  int calls = 0;
  const auto add = [&] { ++calls; };
  CHECK(!mailbox.call(add, std::chrono::milliseconds(5)));
  CHECK(!mailbox.call(add, std::chrono::milliseconds(5)));
  over = true;
  owner.join();
  CHECK(calls == 0);
  CHECK(mailbox.call(add, std::chrono::milliseconds(5)));
  CHECK(calls == 1);
}
