// Shards: the stacks of one server, each with its rings to the apps, and the threads that take their turns.
//
//   port 0 (the device, a SteeringPort, or a QueuePort) ── Stack 0 ── AppRings 0 ══ apps        shard 0, thread 0
//   port 1 (a SteeredPort, or a QueuePort)              ── Stack 1 ── AppRings 1 ══ apps        shard 1, thread 1
//
// In: one configuration, and a port with two pools for each stack; then control calls. Out: all stacks as if they were one.
// Invariant: a shard is touched by its own thread alone while that runs, or by the thread of an app that drives it (`shared`).
// Control comes to one shard after the other, to each between two of its turns; one control call at a time. Listeners have the
// same numbers in all of them.
// Read first: docs/several-stacks.md 8.
#pragma once

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "native/stack/app_commands.hh"
#include "native/stack/mailbox.hh"
#include "native/stack/stack.hh"
#include "native/stack/stack_thread.hh"
#include "native/stack/touch.hh"
#include "native/steer/flow_steering.hh"
#include "native/steer/steerer.hh"

namespace qstack {

struct Shard {
  Shard(const StackConfig& config, Arena& arena, uint32_t number, Port& port, PacketPool& rx, PacketPool& tx, Steerer* steerer)
      : port(port), rx(rx), tx(tx), steerer(steerer), rings(arena, number, tx, config.policy, config.shared), stack(config, port, rx, tx, rings) {}

  Port& port;
  PacketPool& rx;
  PacketPool& tx;
  Steerer* steerer;  ///< null: it polls for itself alone
  AppRings rings;
  Stack stack;
  Mailbox mailbox;  ///< of a thread of its app that takes its turns (`shared`, `inline`)
};

/// What a stack counts and has in use.
struct StackFigures {
  Counters counters;
  uint32_t rx_free = 0, tx_free = 0, rx_packets = 0, tx_packets = 0, rx_with_apps = 0, tx_with_apps = 0;
  uint32_t control_blocks = 0, busy_blocks = 0, early_ranges = 0, ipv6_pairs = 0, option_sets = 0;

  StackFigures& operator+=(const StackFigures& other);
};

class StackBusy : public std::runtime_error {
 public:
  explicit StackBusy(uint32_t stack)
      : std::runtime_error("app thread " + std::to_string(stack) + " has not come round for a second: a handler computes") {}
};

class Shards {
 public:
  /// Of one stack.
  struct End {
    Port* port;
    PacketPool* rx;
    PacketPool* tx;
    Steerer* steerer = nullptr;  ///< of one that polls for others as well
  };

  /// `steering` is that of several stacks: whose flow it is; null for one. All that is given outlives the shards. The apps find TX
  /// packets at once.
  Shards(const StackConfig& config, Arena& arena, const std::vector<End>& ends, const FlowSteering* steering = nullptr);
  ~Shards() { stop(); }
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  uint32_t count() const { return static_cast<uint32_t>(shards_.size()); }
  /// What the stacks' pools take, and what the rings keep by slot.
  std::vector<MemoryRegion> memory() const;

  /// Threads, called `config.name` and their numbers. Stack k runs on cores[k], or where its maker may if there are not so
  /// many or it is negative; bells[k], where there are any, is rung by who has written for it, and outlives the thread. Throws
  /// what StackThread does.
  void run(const StackThreadConfig& config, const std::vector<int>& cores = {}, std::span<Doorbell> bells = {});
  /// The first stack ends last: it sends what the others have given to it.
  void stop();
  bool running() const { return !threads_.empty(); }
  /// The calling thread takes the turns of stack `number` from now on, by drive(); false: somebody does. Control calls `knock`, in
  /// case that thread sleeps.
  bool begin_driving(uint32_t number, std::function<void()> knock = {}) {
    return shards_[number].mailbox.open(std::move(knock));
  }
  /// What its app has sent last leaves before.
  void end_driving(uint32_t number);
  bool driven() const;
  bool driven_here(uint32_t number) const { return shards_[number].mailbox.served_here(); }
  /// Control, then a turn.
  uint32_t drive(uint32_t number, Nanos now);
  /// Control alone, of those that the calling thread drives.
  void serve();

  /// A turn of each, in the calling thread; none runs. Records, packets and timers handled: 0 means idle.
  uint32_t turn(Nanos now);
  /// Of one. What it moves for the others counts, or its thread would take naps while they are busy.
  uint32_t turn(uint32_t number, Nanos now);
  /// Stack::next_deadline, in the thread that takes its turns.
  Nanos next_deadline(uint32_t number, Nanos now) const { return shards_[number].stack.next_deadline(now); }

  /// In the thread of stack `number`, between two of its turns. Throws StackBusy when an app that drives it has not come round for
  /// a second: its handler computes, and control has more to do than to wait for that.
  void at(uint32_t number, const std::function<void(Shard&)>& work);
  void each(const std::function<void(Shard&)>& work);

  /// Number of the listener in all stacks, or what the first that refuses says (-EADDRINUSE, -EADDRNOTAVAIL, -ENOMEM): then
  /// no stack has it.
  int listen(const ListenerConfig& config);
  void unlisten(uint16_t listener);
  /// A number for a framing of active opens; -ENOBUFS: there are too many.
  int add_framing(const ListenerConfig& config);
  /// How often each rule of the version of before has matched, and last its default; empty where there was none.
  std::vector<uint64_t> classify(const Classifier& classifier);
  std::vector<uint64_t> rule_hits();
  void schedule(const PolicyConfig& policy);
  /// By stack.
  std::vector<StackFigures> figures();
  Sojourn sojourn();
  /// Of each the worst.
  HiccupProbe::Summary hiccups(bool reset);
  /// Connections of the lost app that were reset.
  uint32_t reclaim(uint32_t app);
  void attach(uint32_t app, int wake_fd);

 private:
  void send_rest(uint32_t number);
  void forget(const ListenerConfig& config, uint32_t refused_by, int listener);

  std::deque<Shard> shards_;
  std::vector<std::unique_ptr<StackThread>> threads_;
  HiccupProbe::Summary last_hiccups_;
};

}  // namespace qstack
