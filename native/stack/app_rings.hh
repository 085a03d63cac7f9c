// AppRings: the App whose programs live in other threads, reached by records in shared memory.
//
// In: events of one stack; send and release records of app threads. Out: event records; calls on that Stack.
// Invariant: a packet named by a record is touched only when it is of this stack's pools and its owner is the app that
// wrote the record, and a connection only when it belongs to that app; what fails a check is counted (stale_records,
// bad_records) and goes no further. Records number slots through all stacks, everything here by its own.
// One turn: drain(stack) takes what apps wrote, Stack::turn makes events, publish() shows them and wakes who
// sleeps. Used by the stack's thread alone. Read first: docs/ARCHITECTURE.md 3 and 4; app_commands.hh has drain and
// reclaim.
#pragma once

#include <array>
#include <deque>
#include <unordered_map>
#include <vector>

#include "native/ring/spsc_ring.hh"
#include "native/sched/scheduling_policy.hh"
#include "native/stack/arena.hh"
#include "native/stack/send_fence.hh"
#include "native/tcp/app.hh"
#include "native/tcp/config.hh"

namespace qstack {

class AppRings final : public App {
 public:
  /// Records that one app thread gets executed in one turn: more of them would keep received frames waiting.
  static constexpr uint32_t kRecordsPerTurn = 512;
  /// Records whose connection and packet are on their way into the cache.
  static constexpr uint32_t kAhead = 8;
  /// Sends of a starved level under `strict`.
  static constexpr uint32_t kSendQuantum = 32;
  /// Sends between two looks at deadlines or shares.
  static constexpr uint32_t kSendBurst = 16;
  /// Bytes of the smallest weight in one round: kSendBurst full segments.
  static constexpr double kSendRound = kSendBurst * 1'460;
  /// Listener numbers from here on are framings for active opens only.
  static constexpr uint16_t kFirstFraming = 0x8000;

  /// Rings of the arena's stack number `stack`. The arena (with its region set) and the stack's TX pool outlive them.
  /// `policy`: which level's sends go first.
  /// `own_app`: passive opens go to the app of the stack's number.
  AppRings(Arena& arena, uint32_t stack, PacketPool& tx, const PolicyConfig& policy = {}, bool own_app = false);

  /// Sends go by another policy from the next drain() on. What waits stays where it is.
  void schedule(const PolicyConfig& policy);

  bool opened(const Opened& event) override;
  bool message(const Message& event) override;
  void prefetch(uint32_t slot) const override { __builtin_prefetch(&apps_of_[slot]); }
  bool has_budget(uint8_t level) const override { return rx_held_[level] < rx_budgets_[level]; }
  Stamp waited(uint32_t slot, uint8_t level) const override;
  bool ended(Handle handle) override;
  bool closed(Handle handle, CloseReason reason) override;
  bool drained(Handle handle, uint32_t cookie) override;
  bool urgent(Handle handle) override;

  /// Stamps the header page, gives records of the apps to the stack, tops up the empty rings. Returns the records
  /// handled.
  template <typename AnyStack>
  uint32_t drain(AnyStack& stack, Nanos now);
  /// Shows this turn's records to the apps, and wakes those that sleep.
  void publish();
  /// Whether apps had better leave lower levels alone until the driver's frames are judged.
  void set_behind(bool behind) { store_relaxed(arena_.stack_line(stack_).behind, uint32_t{behind}); }
  /// The thread of `app` is gone: its connections are reset, its packets taken back, its rings start anew.
  template <typename AnyStack>
  uint32_t reclaim(AnyStack& stack, uint32_t app, Nanos now);

  /// Eventfd that wakes the app's thread; -1: it never sleeps. Also: an app that was lost is there again.
  void attach(uint32_t app, int wake_fd);
  /// Framing of listener `number`, for active opens that name it.
  void set_framing(uint16_t number, const ListenerConfig& config) { framings_[number] = config; }
  /// A number for a framing without a listener; 0: there are too many.
  uint16_t add_framing(const ListenerConfig& config);

  /// Records that named nothing sensible; what Counter::bad_records means.
  uint64_t bad_records() const { return bad_records_; }
  /// Records for connections that are gone, or never were the app's.
  uint64_t stale_records() const { return stale_records_; }
  uint32_t rx_with_apps() const;
  /// RX packets that apps hold for messages of this level; a packet counts for its first message.
  uint32_t rx_with_apps(uint8_t level) const { return rx_held_[level]; }
  uint32_t tx_with_apps() const;
  /// What it keeps by slot, outside of the arena.
  std::array<MemoryRegion, 2> memory() const { return {apps_memory_.region(), generations_memory_.region()}; }

 private:
  static constexpr uint8_t kNoApp = 0xff;
  static constexpr uint32_t kEmptyBit = 1u << abi::kLevelsMax;

  /// An active open that could not begin.
  struct FailedConnect {
    uint32_t cookie;
    CloseReason reason = CloseReason::unreachable;
    uint32_t stack = 0;  ///< elsewhere: the one that can begin it
  };

  struct Side {
    explicit Side(const SchedulingPolicy& fresh) : policy(fresh) {}

    std::array<RingProducer<abi::EventRecord>, kLevelsMax> events;
    std::array<RingConsumer<abi::SendRecord>, kLevelsMax> sends;
    SchedulingPolicy policy;  ///< of the send rings
    SendFence fence;
    RingConsumer<abi::ReleaseRecord> releases;
    RingProducer<uint32_t> empty;
    abi::AppLine* line = nullptr;
    int wake_fd = -1;
    uint32_t notified = 0;     ///< the sleep for which the eventfd was written
    uint32_t unpublished = 0;  ///< bit per level, and kEmptyBit
    Stamp waited[kLevelsMax] = {};  ///< how long the oldest event had waited when the newest were pushed
    uint32_t rx_held = 0;      ///< messages that the app has not released
    uint32_t tx_held = 0;      ///< TX packets in its empty ring and in its hands
    bool lost = false;
    std::deque<FailedConnect> failed_connects;  ///< not told yet
    std::deque<abi::EventRecord> answers;  ///< to info records, that the ring had no room for
  };

  PacketOwner owner_of(uint32_t app) const {
    return static_cast<PacketOwner>(static_cast<uint32_t>(PacketOwner::app0) + app);
  }
  uint32_t lowest() const { return levels_ - 1; }
  void open_rings(uint32_t app);
  void reset_rings(uint32_t app);
  uint32_t choose_app(const Opened& event);
  const Side* side_of(uint32_t slot) const { return apps_of_[slot] == kNoApp ? nullptr : &sides_[apps_of_[slot]]; }
  Side* side_of(uint32_t slot) { return apps_of_[slot] == kNoApp ? nullptr : &sides_[apps_of_[slot]]; }
  bool owns(uint32_t app, uint32_t slot) const { return slot < connections_ && apps_of_[slot] == app; }
  /// Of a record, as the stack numbers it; of another stack's slot it makes one that does not exist.
  Handle own(uint32_t slot, uint32_t generation) const { return {slot - first_slot_, generation}; }
  abi::EventRecord record_of(abi::EventType type, Handle handle) const;
  void tell_addresses(const Opened& event);
  bool push(Side& side, uint32_t level, const abi::EventRecord& record);
  void wake(Side& side);
  bool tell_failed_connect(Side& side, const FailedConnect& failed);

  template <typename AnyStack>
  uint32_t drain_releases(AnyStack& stack, uint32_t app, Nanos now);
  template <typename AnyStack>
  uint32_t drain_sends(AnyStack& stack, uint32_t app, Nanos now);
  template <typename AnyStack>
  uint32_t sendable(const AnyStack& stack, Side& side) const;
  template <typename AnyStack>
  uint32_t take_sends(AnyStack& stack, uint32_t app, uint32_t level, uint32_t most, Nanos now);
  bool fenced(Side& side) const;
  Stamp send_since(const Side& side, uint32_t level) const;
  template <typename AnyStack>
  void execute(AnyStack& stack, uint32_t app, const abi::SendRecord& record, Nanos now);
  template <typename AnyStack>
  void execute_send(AnyStack& stack, uint32_t app, const abi::SendRecord& record, Nanos now);
  template <typename AnyStack>
  void execute_connect(AnyStack& stack, uint32_t app, const abi::SendRecord& record, const IpAddress& to, Nanos now);
  template <typename AnyStack>
  void execute_option(AnyStack& stack, Handle handle, const abi::SendRecord& record, Nanos now);
  template <typename AnyStack>
  void execute_info(AnyStack& stack, uint32_t app, Handle handle, const abi::SendRecord& record);
  template <typename AnyStack>
  void execute_release(AnyStack& stack, uint32_t app, const abi::ReleaseRecord& record, Nanos now);
  template <typename AnyStack>
  void take_back_packets(AnyStack& stack, uint32_t app, Nanos now);

  Packet* take_tx_packet(uint32_t app, uint32_t index);
  Packet* take_rx_packet(uint32_t app, uint32_t index);
  template <typename AnyStack>
  void prefetch_send(const AnyStack& stack, const abi::SendRecord* ahead) const;
  template <typename Record>
  void prefetch_named(const Record* ahead) const;
  uint32_t unread_slot(const abi::ReleaseRecord* ahead) const;
  void top_up(Side& side, uint32_t app);

  Arena& arena_;
  PacketRegion region_;
  PacketPool& tx_;
  SchedulingPolicy fresh_policy_;  ///< of the policy in force, before any work
  uint32_t stack_;
  bool own_app_;
  uint32_t levels_;
  uint32_t connections_;
  uint32_t first_slot_;
  uint32_t rx_packets_;
  uint32_t first_rx_;
  uint32_t tx_packets_;
  uint32_t first_tx_;
  std::array<uint32_t, kLevelsMax> rx_budgets_;  ///< RX packets that apps may hold for messages of a level
  std::array<uint32_t, kLevelsMax> rx_held_{};
  Stamp stamp_ = 0;
  uint64_t bad_records_ = 0;
  uint64_t stale_records_ = 0;
  uint32_t next_app_ = 0;
  uint32_t tx_reserve_;  ///< TX packets that top-up leaves to the stack itself (ACKs, retransmissions)
  uint32_t tx_share_;    ///< most TX packets that one app may hold
  Mapping apps_memory_;
  uint8_t* apps_of_;  ///< slot → app
  Mapping generations_memory_;
  uint32_t* generations_;  ///< slot → generation, to reset the connections of a lost app
  std::vector<Side> sides_;
  std::unordered_map<uint16_t, ListenerConfig> framings_;
  uint16_t next_framing_ = kFirstFraming;
  std::unordered_map<uint32_t, uint32_t> connecting_;  ///< slot → cookie of active opens that are not established yet
};

}  // namespace qstack
