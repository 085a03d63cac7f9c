// StackInstance: everything of one server's stacks, from their arena to their threads, and the control calls on them.
//
// In: options once, then control calls from any thread. Out: running stacks. Invariant: one thread at a time takes the turns
// of a stack (its own thread, a poller that drives it, or a caller of turn()), and control runs in that thread, between two turns.
// Instances are found by number (registry.hh); pollers share ownership, so a destroyed one is empty, never dangling.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "native/classify/classifier.hh"
#include "native/node/device.hh"
#include "native/stack/shards.hh"
#include "native/steer/flow_steering.hh"

namespace qstack::node {

struct InstanceConfig {
  StackConfig stack;
  ArenaConfig arena;
  DeviceConfig device;
};

/// Of all stacks together, and of their device.
struct CounterSnapshot : StackFigures {
  std::vector<StackFigures> by_stack;
  std::map<std::string, uint64_t> device, faults;
  bool link_up = false;
};

class StackInstance {
 public:
  /// All memory that is in use from the start on is touched; `progress` is told while that lasts.
  explicit StackInstance(const InstanceConfig& config, const TouchProgress& progress = {});
  ~StackInstance();
  StackInstance(const StackInstance&) = delete;
  StackInstance& operator=(const StackInstance&) = delete;

  const InstanceConfig& config() const { return config_; }
  Arena& arena() { return *arena_; }
  /// JavaScript has a buffer over the arena: its addresses are kept for ever.
  void keep_arena() { arena_shared_ = true; }

  uint16_t listen(const ListenerConfig& config);
  void unlisten(uint16_t listener);
  /// How often each rule of the version of before has matched, and last its default; empty where there was none.
  std::vector<uint64_t> classify(const Classifier& classifier);
  std::vector<uint64_t> rule_hits();
  /// RX lanes, TX queue and send rings go by another policy from the next turn on.
  void schedule(const PolicyConfig& policy);
  CounterSnapshot counters();
  Sojourn sojourn();
  HiccupProbe::Summary hiccups(bool reset);
  uint32_t reclaim(uint32_t app);
  /// The eventfd that wakes the poller of `app`.
  int wake_fd(uint32_t app) const { return wake_fds_[app]; }
  void attach_app(uint32_t app);
  void wake(uint32_t app);
  /// Apps have written for the stacks: those that sleep in threads of their own wake.
  void wake_stacks() {
    for (Doorbell& bell : bells_) bell.ring();
  }
  /// True once for each wake().
  bool woken(uint32_t app) { return woken_[app].exchange(false, std::memory_order_acquire); }

  /// Shards::run says more.
  void run(const StackThreadConfig& config, const std::vector<int>& cores);
  void stop();
  /// Takes a turn of each stack in the calling thread, which must be the driver if there is one.
  uint32_t turn(Nanos now);
  /// The calling thread, a poller's, takes the turns of this stack from now on, by drive().
  void begin_driving(uint32_t stack);
  void end_driving(uint32_t stack);
  uint32_t drive(uint32_t stack, Nanos now) { return parts_->shards->drive(stack, now); }
  /// Of the one who drives it: whose frames he waits for, and how long.
  Port& port(uint32_t stack) { return parts_->device->port(stack); }
  Nanos next_deadline(uint32_t stack, Nanos now) const { return parts_->shards->next_deadline(stack, now); }
  /// Stops and frees; what is called afterwards fails with QST_ERR_STACK_DESTROYED.
  void destroy();
  bool destroyed() const { return destroyed_.load(std::memory_order_acquire); }

 private:
  /// What the stacks' threads touch, in the order in which it is made.
  struct Parts {
    std::unique_ptr<Arena> arena;
    std::optional<FlowSteering> steering;  ///< of several stacks
    std::unique_ptr<Device> device;
    std::optional<Shards> shards;
    bool arena_shared = false;
    ~Parts();
    const FlowSteering* whose() const { return steering ? &*steering : nullptr; }
  };

  void make_shards();
  void touch_pools(const TouchProgress& progress);
  void call(const std::function<void(Shards&)>& work);
  bool runs() const { return parts_ != nullptr && parts_->shards->running(); }
  std::unique_lock<std::mutex> take_control() const;
  void check_alive() const;

  InstanceConfig config_;
  std::shared_ptr<Parts> parts_;
  Arena* arena_ = nullptr;
  std::atomic<bool> arena_shared_{false};
  std::atomic<bool> destroyed_{false};
  std::vector<int> wake_fds_;
  std::vector<std::atomic<bool>> woken_;
  std::vector<Doorbell> bells_;  ///< by stack
  mutable std::mutex control_;  ///< one control call at a time
};

}  // namespace qstack::node
