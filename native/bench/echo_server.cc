#include "native/bench/echo_server.hh"

#include <cstring>
#include <stdexcept>

#include "native/mempool/packet_pool.hh"

namespace qstack::bench {

void EchoServer::attach(Stack& stack) {
  stack_ = &stack;
  ListenerConfig listener;
  listener.port = port_;
  listener.framing = Framing::fixed;
  listener.fixed_length = kRequest;
  if (stack.listen(listener) < 0) throw std::runtime_error("the echo server cannot listen");
}

bool EchoServer::message(const Message& event) {
  requests_.push_back({event.handle, event.packet, event.length});
  return true;
}

bool EchoServer::ended(Handle handle) {
  ended_.push_back(handle);
  return true;
}

uint32_t EchoServer::step(Nanos now) {
  uint32_t work = 0;
  for (; !requests_.empty() && stack_->send_ready(0); ++work) {
    Packet* const reply = tx_.allocate();
    if (reply == nullptr) break;
    const Request request = requests_.front();
    requests_.pop_front();
    reply->data = PacketRegion::payload_start(reply);
    reply->payload = 0;
    reply->payload_length = kReply;
    reply->level = 0;
    std::memset(reply->data, 'r', kReply);
    stack_->send(request.handle, reply, now);
    stack_->release(request.handle, request.packet, request.length, now);
  }
  for (; requests_.empty() && !ended_.empty(); ended_.pop_front(), ++work) stack_->close(ended_.front(), now);
  return work;
}

}  // namespace qstack::bench
