// EchoClient: closed loop: so many connections, each with one request under way.
//
// In: App events, step() between two turns. Out: answers in a window that begins when all connections stand, and their
// latencies from the call that sends to the event that brings the whole reply.
#pragma once

#include <vector>

#include "native/bench/asker.hh"

namespace qstack::bench {

struct EchoClientConfig {
  Endpoint local, remote;
  uint32_t addresses = 1;  ///< from `local` on
  uint32_t connections = 1;
  uint32_t slots = 1;  ///< control blocks of the stack
  Nanos warm_up = 0, window = 0;
};

class EchoClient final : public Asker {
 public:
  EchoClient(const EchoClientConfig& config, PacketPool& tx);

  uint32_t step(Nanos now);

  bool opened(const Opened& event) override;
  bool closed(Handle handle, CloseReason) override;

 private:
  uint32_t open_some(Nanos now);
  uint32_t take_answers(Nanos now, bool counts);
  void asked(Handle handle, Nanos now) override { asked_[handle.slot] = now; }

  EchoClientConfig config_;
  std::vector<Nanos> asked_;  ///< slot → when its request was sent
  uint32_t begun_ = 0, open_ = 0;
  Nanos next_open_ = 0;
};

}  // namespace qstack::bench
