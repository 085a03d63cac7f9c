// EchoServer: answers every request of a fixed length with a reply of a fixed length, natively.
//
// In: App events; step() between two turns sends what they ask for. Out: replies. What finds no packet or no room waits.
#pragma once

#include <deque>

#include "native/stack/stack.hh"

namespace qstack::bench {

inline constexpr uint16_t kRequest = 200;
inline constexpr uint16_t kReply = 64;

class EchoServer final : public App {
 public:
  EchoServer(uint16_t port, PacketPool& tx) : port_(port), tx_(tx) {}
  void attach(Stack& stack);

  uint32_t step(Nanos now);
  bool done() const { return false; }

  bool opened(const Opened&) override { return true; }
  bool message(const Message& event) override;
  bool ended(Handle handle) override;
  bool closed(Handle, CloseReason) override { return true; }
  bool drained(Handle, uint32_t) override { return true; }

 private:
  struct Request {
    Handle handle;
    Packet* packet;
    uint16_t length;
  };

  uint16_t port_;
  PacketPool& tx_;
  Stack* stack_ = nullptr;
  std::deque<Request> requests_;
  std::deque<Handle> ended_;
};

}  // namespace qstack::bench
