// ClosedLoop: one request at a time on each connection, the next one when its reply has come. The load of MCC's echo_client,
// http_loader and wan_loader and of mTCP's epwget; they differ in what is asked, how often, and when a connection is opened.
//
// In: App events inside a network's turn, step() between two turns. Out: two levels of counts and latencies: 0 requests, from
// the call that sends to the event that brings the reply's last byte; 1 connections, those that make so many requests and end,
// from the time when they should have been opened to their last reply. An echo is checked byte by byte, HTTP by its form.
// Invariant: callbacks change our own records alone; every call into the network is made by step().
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "native/mcc/arrival_clock.hh"
#include "native/mcc/connection.hh"
#include "native/mcc/http_reader.hh"
#include "native/mcc/load.hh"
#include "native/mcc/network.hh"
#include "native/mcc/slot_map.hh"

namespace qstack::mcc {

struct ClosedLoopConfig {
  uint32_t connections = 1;  ///< at a time
  uint32_t slots = 1;        ///< control blocks, or sockets, of the network
  uint32_t first_address = 0;
  uint32_t addresses = 1;
  uint32_t connecting_max = 256;
  uint32_t messages = 0;       ///< of a connection, which we close then; 0: without end
  uint64_t flows = 0;          ///< connections that a run opens, where they end; 0: as many as there is time for
  double opens_per_s = 0;      ///< Poisson, where they end; 0: one is opened when another one has ended
  uint16_t length = 16;        ///< of an echo
  bool random_length = false;  ///< uniform from kMessageMin to `length`
  std::string request;         ///< of HTTP; empty: echo
  uint64_t seed = 0;
  Nanos drain_pause = 5 * kSecond;  ///< after the last sign of life nothing more is waited for
  Nanos retry = kSecond / 10;       ///< between opens that fail
  Nanos close_max = 10 * kSecond;
  Clock clock = nullptr;            ///< stamps replies
};

/// Levels of the counts.
inline constexpr uint8_t kRequests = 0, kConnections = 1;

class ClosedLoop final : public Load {
 public:
  ClosedLoop(const ClosedLoopConfig& config, Network& network);

  /// Opens all connections; where they end by themselves only one, to see whether the server is there.
  void connect(Nanos now) override;
  /// Of the plan only the duration counts.
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
  View view() const override { return snapshot_.read(); }
  const LevelStats& level(uint8_t level) const override { return levels_[level]; }
  uint64_t bytes_received() const override { return bytes_; }
  std::vector<MemoryRegion> memory() const override { return {by_slot_.memory()}; }

  bool opened(const Opened& event) override;
  bool message(const Message& event) override;
  bool ended(Handle handle) override;
  bool closed(Handle handle, CloseReason reason) override;
  bool drained(Handle, uint32_t) override { return true; }

 private:
  using Status = HttpReader::Status;

  struct Flow {
    Handle handle;
    Nanos began = 0;       ///< when it should have been opened
    Nanos asked = 0;       ///< when the request left that waits for its reply; 0: none does
    uint32_t done = 0;     ///< requests that were answered
    uint32_t counter = 0;  ///< of the echo under way
    uint16_t length = 0;   ///< of that
    uint16_t got = 0;      ///< bytes of it that are back
    bool open = false;
    bool counts = false;   ///< as a connection of the run
    HttpReader http;
  };
  struct Held {
    Handle handle;
    Packet* packet;
    uint16_t length;
  };

  /// Connections stay until the test ends.
  bool lasting() const { return config_.messages == 0; }
  bool echoes() const { return config_.request.empty(); }
  bool sending(Nanos now) const { return phase_ == Phase::running && now >= run_start_ && now < run_end_; }
  bool in_run() const { return phase_ == Phase::running || phase_ == Phase::draining; }
  uint32_t number_of(Handle handle) const;

  uint64_t opens_wanted(Nanos now) const;
  uint32_t open_some(Nanos now);
  bool open(Nanos intended, Nanos now);
  void plan_next_open();
  uint32_t ask_some(Nanos now);
  void ask(Flow& flow, Packet* packet, Nanos now);
  uint32_t act_on_notes(Nanos now);

  Status read_echo(Flow& flow, const uint8_t* bytes, uint32_t length);
  bool complete(Flow& flow);
  void answered(uint32_t number);
  void count(uint8_t level, Nanos since, bool error);
  void gone(uint32_t number);
  void part(uint32_t number);
  void leave(uint32_t number);

  void advance_phase(Nanos now);
  void abandon_opens();
  void end_run(Nanos now);
  void set_phase(Phase phase, Nanos now);
  void publish(Nanos now);

  ClosedLoopConfig config_;
  Network& network_;
  AddressPool addresses_;
  std::vector<uint8_t> request_;
  std::vector<Flow> flows_;
  SlotMap by_slot_;                ///< number of the connection that has the slot
  std::vector<uint32_t> free_;     ///< numbers without a connection
  std::deque<Handle> waiting_;     ///< whose next request is due
  std::vector<Held> held_;
  std::deque<Handle> leaving_;     ///< to be closed
  std::vector<Handle> strange_;    ///< to be aborted
  std::array<LevelStats, kConnections + 1> levels_;

  Phase phase_ = Phase::idle;
  Nanos now_ = 0;
  ArrivalClock arrival_;
  Nanos run_start_ = 0, run_end_ = 0;
  Nanos last_answer_ = 0, last_sign_ = 0;
  Nanos next_open_ = 0;  ///< of the Poisson process
  Nanos retry_at_ = 0;
  Nanos publish_at_ = kNever;
  Nanos close_deadline_ = kNever;
  uint64_t opens_ = 0, drawn_ = 0, run_flows_ = 0;
  uint64_t bytes_ = 0, mismatched_ = 0, retries_ = 0, reconnects_ = 0, view_number_ = 0;
  int64_t closes_ = 0;  ///< that we asked for and have not heard of
  uint32_t connecting_ = 0, open_ = 0, asking_ = 0;
  uint32_t counter_ = 0;
  uint16_t run_ = 0;
  bool probed_ = false;

  Snapshot snapshot_;
};

}  // namespace qstack::mcc
