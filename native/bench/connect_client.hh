// ConnectClient: opens, asks once, takes the reply, closes; closed loop: so many of these are under way at a time.
//
// In: App events, step() between two turns. Out: replies in a window that begins with the first one, and how long each took
// from the open, and, where it rests, the answer to the SYN alone; as lost, connections that ended without their reply, since the
// first reply. We close first, so TIME-WAIT is ours; each open takes the next pair of local address and port, and none comes again
// before all others have had their turn.
#pragma once

#include <vector>

#include "native/bench/asker.hh"

namespace qstack::bench {

struct ConnectClientConfig {
  Endpoint local, remote;
  uint32_t addresses = 1;  ///< from `local` on
  uint32_t under_way = 1;
  uint32_t slots = 1;  ///< control blocks of the stack
  Nanos rest = 0;      ///< from a reply to the next open
  Nanos warm_up = 0, window = 0;
};

class ConnectClient final : public Asker {
 public:
  ConnectClient(const ConnectClientConfig& config, PacketPool& tx);

  uint32_t step(Nanos now);

  bool opened(const Opened& event) override;
  bool closed(Handle handle, CloseReason) override;

 private:
  void time_open(Nanos now);
  uint32_t take_answers(Nanos now);
  uint32_t open_some(Nanos now);
  Endpoint next_local();

  ConnectClientConfig config_;
  std::vector<Nanos> began_;  ///< slot → when it was opened; 0: its reply has come, or nobody has it
  uint32_t under_way_ = 0;
  uint64_t opens_ = 0;
  Nanos next_open_ = 0;
  // Of a client that rests: one connection at a time.
  bool syn_leaves_ = false, open_answered_ = false;
  Nanos syn_left_ = 0;
};

}  // namespace qstack::bench
