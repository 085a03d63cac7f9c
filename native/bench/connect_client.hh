// ConnectClient: opens, asks once, takes the reply, closes; closed loop: so many of these are under way at a time.
//
// In: App events, step() between two turns. Out: replies in a window that begins with the first one, and how long each took
// from the open. We close first, so TIME-WAIT is ours; each open takes the next pair of local address and port, and none
// comes again before all others have had their turn.
#pragma once

#include <deque>
#include <vector>

#include "native/bench/echo_server.hh"
#include "native/bench/window.hh"
#include "native/mcc/histogram.hh"

namespace qstack::bench {

struct ConnectClientConfig {
  Endpoint local, remote;
  uint32_t addresses = 1;  ///< from `local` on
  uint32_t under_way = 1;
  uint32_t slots = 1;  ///< control blocks of the stack
  Nanos warm_up = 0, window = 0;
};

class ConnectClient final : public App {
 public:
  ConnectClient(const ConnectClientConfig& config, PacketPool& tx);
  void attach(Stack& stack) { stack_ = &stack; }

  uint32_t step(Nanos now);
  bool done() const { return window_.over(); }
  const Window& window() const { return window_; }
  const mcc::Histogram& latencies() const { return latencies_; }
  /// Connections that ended without their reply, since the first reply.
  uint32_t lost() const { return lost_; }

  bool opened(const Opened& event) override;
  bool message(const Message& event) override;
  bool ended(Handle) override { return true; }
  bool closed(Handle handle, CloseReason) override;
  bool drained(Handle, uint32_t) override { return true; }

 private:
  struct Answer {
    Handle handle;
    Packet* packet;
    uint16_t length;
  };

  uint32_t take_answers(Nanos now);
  uint32_t ask(Nanos now);
  uint32_t open_some(Nanos now);
  Endpoint next_local();

  ConnectClientConfig config_;
  PacketPool& tx_;
  Stack* stack_ = nullptr;
  Window window_;
  mcc::Histogram latencies_;
  std::vector<Nanos> began_;  ///< slot → when it was opened; 0: its reply has come, or nobody has it
  std::vector<Answer> answers_;
  std::deque<Handle> waiting_;  ///< open, and not asked yet
  uint32_t under_way_ = 0, lost_ = 0;
  uint64_t opens_ = 0, answered_ = 0;
  Nanos next_open_ = 0;
};

}  // namespace qstack::bench
