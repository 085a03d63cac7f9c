// BulkSource: one connection that sends as fast as it may, in writes of a given size.
//
// In: step() between two turns. Out: bytes; how many were acknowledged. A write copies the program's bytes into packets,
// as write(2) copies them into the kernel; a packet leaves when it is full, or when nothing else is on its way.
#pragma once

#include <vector>

#include "native/stack/stack.hh"

namespace qstack::bench {

struct BulkSourceConfig {
  Endpoint local, remote;
  uint32_t write_size = 65'536;
  uint32_t send_buffer = 262'144;  ///< bytes that wait or are not acknowledged
  Nanos delay = 0;     ///< before the first try to connect: the sink may need a device that we have made
  Nanos duration = 0;  ///< at most, from the moment it is connected: the sink closes when it has measured
};

class BulkSource final : public App {
 public:
  BulkSource(const BulkSourceConfig& config, PacketPool& tx);
  void attach(Stack& stack) { stack_ = &stack; }

  uint32_t step(Nanos now);
  /// The connection is gone.
  bool done() const { return state_ == State::done; }
  uint64_t bytes() const { return bytes_; }

  bool opened(const Opened& event) override;
  bool message(const Message&) override { return false; }
  bool ended(Handle) override;
  bool closed(Handle, CloseReason) override;
  bool drained(Handle, uint32_t) override { return true; }

 private:
  uint32_t try_to_open(Nanos now);
  bool write_once(Nanos now);
  uint32_t fill(const uint8_t* bytes, uint32_t length, Nanos now);
  bool have_packet();
  void flush(Nanos now);

  BulkSourceConfig config_;
  PacketPool& tx_;
  Stack* stack_ = nullptr;
  std::vector<uint8_t> data_;  ///< what the program writes
  uint32_t written_ = 0;       ///< of the write that is under way
  Packet* packet_ = nullptr;   ///< being filled
  uint32_t segment_ = 0;       ///< payload of a full packet
  Handle handle_;
  Nanos next_try_ = 0;
  Nanos end_ = 0;
  enum class State : uint8_t { idle, opening, open, closing, done } state_ = State::idle;
  bool peer_ended_ = false;
  uint64_t bytes_ = 0;
};

}  // namespace qstack::bench
