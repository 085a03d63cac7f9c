// The snapshot: a reader in another thread never sees half of one view and half of the next.
#include <doctest/doctest.h>

#include <thread>

#include "native/mcc/stats.hh"

using namespace qstack::mcc;

TEST_CASE("what is read was written as one") {
  Snapshot snapshot;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (uint64_t i = 1; i <= 20'000; ++i) {
      View view;
      view.number = view.connected = view.mismatched = i;
      view.levels[1].max_ns = i;
      snapshot.write(view);
    }
    done = true;
  });
  uint64_t last = 0, torn = 0;
  while (!done) {
    View view = snapshot.read();
    torn += view.connected != view.number || view.mismatched != view.number || view.levels[1].max_ns != view.number;
    torn += view.number < last;
    last = view.number;
    std::this_thread::yield();
  }
  writer.join();
  CHECK(torn == 0);
  CHECK(snapshot.read().number == 20'000);
}
