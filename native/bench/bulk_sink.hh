// BulkSink: accepts one connection, reads what comes, and measures how much came in a window of time. Then it closes,
// which tells the source that it may end.
//
// In: App events, step() between two turns. Out: bytes of the window. A read copies the bytes to the program, as read(2)
// does, and gives the packet back; `copies = false` leaves them where they are.
#pragma once

#include <vector>

#include "native/bench/window.hh"
#include "native/stack/stack.hh"

namespace qstack::bench {

struct BulkSinkConfig {
  uint16_t port = 5201;
  bool copies = true;
  Nanos warm_up = 0;  ///< after the first byte
  Nanos window = 0;
};

class BulkSink final : public App {
 public:
  explicit BulkSink(const BulkSinkConfig& config);
  void attach(Stack& stack);

  uint32_t step(Nanos now);
  bool done() const { return done_; }
  const Window& window() const { return window_; }

  bool opened(const Opened& event) override;
  bool message(const Message& event) override;
  bool ended(Handle) override;
  bool closed(Handle, CloseReason) override;
  bool drained(Handle, uint32_t) override { return true; }

 private:
  struct Chunk {
    Packet* packet;
    uint16_t offset;
    uint16_t length;
  };

  BulkSinkConfig config_;
  Stack* stack_ = nullptr;
  Handle handle_;
  std::vector<Chunk> chunks_;
  std::vector<uint8_t> data_;  ///< where the program reads to
  size_t at_ = 0;
  Window window_;
  uint64_t total_ = 0;
  bool ended_ = false, closing_ = false, done_ = false;
};

}  // namespace qstack::bench
