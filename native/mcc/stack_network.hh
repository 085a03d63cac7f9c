// StackNetwork: the generator's view of a Stack. The stack's own needs (SYN, ACK, retransmission) come first: a
// message is refused room while less than an eighth of the packets is free.
#pragma once

#include "native/mcc/network.hh"
#include "native/stack/stack.hh"

namespace qstack::mcc {

class StackNetwork final : public Network {
 public:
  StackNetwork(PacketPool& tx, Endpoint remote) : tx_(tx), remote_(remote) {
    framing_.framing = Framing::stream;
  }
  /// The stack is made after the engine (its App), so it is told later, before the first call.
  void attach(Stack& stack, Port& port) { stack_ = &stack, port_ = &port; }

  Handle connect(Endpoint local, uint64_t token, Nanos now) override {
    return stack_->connect(local, remote_, framing_, token, now);
  }
  Packet* allocate() override {
    const bool ready = tx_.available() > tx_.capacity() / 8 && stack_->send_ready(0) && stack_->queued() < kQueuedMax;
    return ready ? tx_.allocate() : nullptr;
  }
  bool send(Handle handle, Packet* packet, Nanos now) override { return stack_->send(handle, packet, now); }
  void prefetch(uint32_t slot) const override { stack_->prefetch(slot); }
  void release(Handle handle, Packet* packet, uint16_t length, Nanos now) override {
    stack_->release(handle, packet, length, now);
  }
  void close(Handle handle, Nanos now) override { stack_->close(handle, now); }
  void abort(Handle handle, Nanos now) override { stack_->abort(handle, CloseReason::aborted, now); }
  /// Nothing is on a link that is down.
  uint32_t in_transit() const override { return port_->link_up() ? stack_->engine().busy_used() : 0; }

 private:
  /// More that wait for the port would be said to be sent, and are not.
  static constexpr uint32_t kQueuedMax = 512;

  PacketPool& tx_;
  Endpoint remote_;
  ListenerConfig framing_;
  Stack* stack_ = nullptr;
  Port* port_ = nullptr;
};

}  // namespace qstack::mcc
