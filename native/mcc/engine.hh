// Engine: the load generator on one stack. Opens connections, sends what an arrival process says, matches replies.
//
// In: App events inside Stack::turn, then step() between two turns. Out: connects, messages, latencies by level.
// Open loop: a message is due at its intended time. If the stack has no room it waits here, high before low, and its
// latency goes on counting. App callbacks only note; every call into the network is made by step().
// Read first: schedule.hh, pending.hh, then step().
#pragma once

#include <memory>
#include <vector>

#include "native/mcc/arrival_clock.hh"
#include "native/mcc/connector.hh"
#include "native/mcc/load.hh"
#include "native/mcc/message.hh"
#include "native/mcc/pending.hh"
#include "native/mcc/reply.hh"
#include "native/mcc/reply_stream.hh"
#include "native/mcc/schedule.hh"
#include "native/mcc/stats.hh"

namespace qstack::mcc {

struct EngineConfig {
  uint32_t connections = 1;
  uint32_t slots = 1;  ///< control blocks of the stack
  uint32_t first_address = 0;
  uint32_t addresses = 1;
  ConnectorConfig connector;
  uint16_t message_length = 16;          ///< of MCC's messages
  std::vector<MessageTemplate> messages;  ///< others, one per level
  std::vector<double> shares{1.0, 0.0};  ///< of the levels, highest first, see LevelChoice
  bool level_per_message = false;
  bool answered_all = false;  ///< heartbeats are answered too; otherwise only requests wait for replies
  ReplyFormat reply;
  uint32_t reconnect_after = 0;  ///< messages on a connection before it is closed and opened anew; 0: it stays
  uint64_t seed = 0;
  Nanos think_time = 0;        ///< the generator's own work per reply
  Clock clock = nullptr;       ///< stamps replies, and measures the work of think_time; without one none is done
  /// Behind the last send a run goes on while messages are on their way or answers come, with no more than `drain_pause`
  /// since. A message whose retransmissions were lost as well waits for a time-out of up to a minute.
  Nanos drain_pause = 5 * kSecond;
  Nanos drain_max = 120 * kSecond;
  Nanos close_max = 10 * kSecond;
  uint32_t pending_max = 1u << 20;
};

class Engine final : public Load {
 public:
  Engine(const EngineConfig& config, Network& network);

  // Commands, between turns of the engine's thread.
  void connect(Nanos now) override;
  void run(Plan plan, Nanos start, Nanos now) override;
  void stop_run(Nanos now) override;
  void close(Nanos now) override;

  void begin_turn(Nanos now) override {
    now_ = now;
    arrival_.begin_turn(now);
  }
  uint32_t step(Nanos now) override;
  Nanos next_deadline() const override;

  Phase phase() const override { return phase_; }
  std::vector<MemoryRegion> memory() const override {
    std::vector<MemoryRegion> regions{table_.memory(), table_.slot_memory(), pending_.memory()};
    if (stream_) regions.push_back(stream_->memory());
    return regions;
  }
  View view() const override { return snapshot_.read(); }
  const LevelStats& level(uint8_t level) const override { return levels_[level]; }

  bool opened(const Opened& event) override;
  bool message(const Message& event) override;
  bool ended(Handle handle) override;
  bool closed(Handle handle, CloseReason reason) override;
  bool drained(Handle, uint32_t) override { return true; }

 private:
  struct Held {
    Handle handle;
    Packet* packet;
    uint16_t offset, length;
    Nanos arrived;
  };

  uint32_t act_on_notes(Nanos now);
  void collect_due(Nanos now);
  void enqueue(const Due& due);
  uint32_t send_due(Nanos now);
  uint32_t look_ahead(uint32_t most);
  bool send_first(Nanos now);
  void write_message(Packet* packet, const Pending& record);
  void abandon_due();
  void abandon_waiting();
  void abandon_unanswered();
  uint32_t close_some(Nanos now);
  void abort_closing(Nanos now);
  void advance_phase(Nanos now);
  void advance_run(Nanos now);
  void set_phase(Phase phase, Nanos now);
  void think();
  void publish(Nanos now);
  LevelView view_of(uint8_t level);

  void take_held();
  void freshen(Connection& connection);
  void consume(uint32_t number, const uint8_t* bytes, uint32_t length);
  uint32_t consume_part(uint32_t number, const uint8_t* bytes, uint32_t length);
  bool keep_part(Connection& connection, const uint8_t* bytes, uint32_t length);
  void consume_stream(uint32_t number, const uint8_t* bytes, uint32_t length);
  Reply parse(uint32_t number, const uint8_t* bytes, uint32_t length);
  Reply parse_echo(uint32_t number, const uint8_t* bytes, uint32_t length);
  uint32_t length_of(const Pending& record) const { return record.length ? record.length : builder_.length(record.level); }
  void garbled(Connection& connection);
  void answered(uint32_t number, const Reply& reply);
  void unmatched(uint32_t number, const Reply& reply);
  void wear(Connection& connection, uint32_t number);
  void forget(Connection& connection);
  bool awaited(uint8_t level) const { return config_.answered_all || level == 0; }

  EngineConfig config_;
  Network& network_;
  ConnectionTable table_;
  AddressPool addresses_;
  Connector connector_;
  MessageBuilder builder_;
  LevelChoice choice_;
  std::unique_ptr<ReplyStream> stream_;  ///< of replies without a counter
  bool in_order_;  ///< replies are told by their order alone
  Assembler assembler_;
  PendingPool pending_;
  PendingQueue due_;  ///< in the order of the schedule
  std::array<LevelStats, kLevels> levels_;
  std::unique_ptr<Arrivals> arrivals_;
  std::vector<Held> held_;
  size_t taken_ = 0;  ///< of held_: their replies were read
  std::vector<Handle> ended_, garbled_;
  std::vector<uint32_t> worn_;  ///< connections that have had their messages, see reconnect_after

  Phase phase_ = Phase::idle;
  Nanos now_ = 0;  ///< of the turn whose callbacks arrive
  ArrivalClock arrival_;
  Nanos run_start_ = 0, run_end_ = 0;
  Nanos last_answer_ = 0;
  Nanos last_sign_ = 0;  ///< of a run that is not over: an answer, or something in transit
  Nanos read_at_ = 0;  ///< when the reply that is being read arrived
  Nanos close_deadline_ = kNever;
  Nanos publish_at_ = kNever;
  uint32_t close_next_ = 0, closing_ = 0;
  uint16_t run_ = 0;
  uint64_t waiting_ = 0;  ///< in due_
  uint64_t mismatched_ = 0, late_ = 0, unexpected_ = 0, view_number_ = 0;
  uint64_t replies_to_think_about_ = 0;
  uint8_t junk_ = 0;

  Snapshot snapshot_;
};

}  // namespace qstack::mcc
