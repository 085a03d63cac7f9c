#include "native/node/ring_wires.hh"

#include <map>
#include <mutex>
#include <vector>

#include "native/node/coded_error.hh"

namespace qstack::node {

namespace {

struct Pair {
  std::shared_ptr<RingWire> wire = std::make_shared<RingWire>();
  bool taken[2] = {false, false};
  bool left[2] = {false, false};
  bool polled() const { return (taken[0] && !left[0]) || (taken[1] && !left[1]); }
  std::vector<std::shared_ptr<void>> remains;
};

struct Pairs {
  std::mutex mutex;
  std::map<std::string, Pair> by_name;
};

/// Of the process, and never destroyed: threads may still poll while it ends.
Pairs& pairs() {
  static Pairs* const all = new Pairs;
  return *all;
}

}  // namespace

std::shared_ptr<RingWire> take_ring_end(const std::string& name, uint32_t side) {
  const std::lock_guard lock(pairs().mutex);
  Pair& pair = pairs().by_name[name];
  if (pair.taken[side]) {
    throw CodedError("EADDRINUSE", "side " + std::to_string(side) + " of the ring \"" + name + "\" is taken");
  }
  pair.taken[side] = true;
  return pair.wire;
}

void leave_ring_end(const std::string& name, uint32_t side, std::shared_ptr<void> remains) {
  std::vector<std::shared_ptr<void>> all;
  const std::lock_guard lock(pairs().mutex);
  const auto found = pairs().by_name.find(name);
  if (found == pairs().by_name.end()) return;
  Pair& pair = found->second;
  pair.left[side] = true;
  pair.remains.push_back(std::move(remains));
  if (pair.polled()) return;
  all.swap(pair.remains);
  pairs().by_name.erase(found);
}

}  // namespace qstack::node
