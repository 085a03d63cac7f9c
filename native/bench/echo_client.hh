// EchoClient: closed loop: so many connections, each with one request under way.
//
// In: App events, step() between two turns. Out: answers in a window that begins when all connections stand, and their
// latencies from the call that sends to the event that brings the whole reply.
#pragma once

#include <deque>
#include <vector>

#include "native/bench/echo_server.hh"
#include "native/bench/window.hh"
#include "native/mcc/histogram.hh"

namespace qstack::bench {

struct EchoClientConfig {
  Endpoint local, remote;
  uint32_t addresses = 1;  ///< from `local` on
  uint32_t connections = 1;
  uint32_t slots = 1;  ///< control blocks of the stack
  Nanos warm_up = 0, window = 0;
};

class EchoClient final : public App {
 public:
  EchoClient(const EchoClientConfig& config, PacketPool& tx);
  void attach(Stack& stack) { stack_ = &stack; }

  uint32_t step(Nanos now);
  bool done() const { return window_.over(); }
  const Window& window() const { return window_; }
  const mcc::Histogram& latencies() const { return latencies_; }
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

  uint32_t open_some(Nanos now);
  uint32_t take_answers(Nanos now, bool counts);
  uint32_t ask(Nanos now);

  EchoClientConfig config_;
  PacketPool& tx_;
  Stack* stack_ = nullptr;
  Window window_;
  mcc::Histogram latencies_;
  std::vector<Nanos> asked_;   ///< slot → when its request was sent
  std::vector<Answer> answers_;
  std::deque<Handle> waiting_;  ///< connections whose next request is due
  uint32_t begun_ = 0, open_ = 0, lost_ = 0;
  Nanos next_open_ = 0;
  uint64_t answered_ = 0;
};

}  // namespace qstack::bench
