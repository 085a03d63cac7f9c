#include "native/bench/asker.hh"

#include <cstring>

#include "native/mempool/packet_pool.hh"

namespace qstack::bench {

bool Asker::message(const Message& event) {
  answers_.push_back({event.handle, event.packet, event.length});
  return true;
}

uint32_t Asker::ask(Nanos now) {
  uint32_t done = 0;
  for (; !waiting_.empty() && stack_->send_ready(0); ++done) {
    Packet* const request = tx_.allocate();
    if (request == nullptr) break;
    request->data = PacketRegion::payload_start(request);
    request->payload = 0;
    request->payload_length = kRequest;
    request->level = 0;
    std::memset(request->data, 'q', kRequest);
    asked(waiting_.front(), now);
    stack_->send(waiting_.front(), request, now);
    waiting_.pop_front();
  }
  return done;
}

ListenerConfig Asker::framing() {
  ListenerConfig framing;
  framing.framing = Framing::fixed;
  framing.fixed_length = kReply;
  return framing;
}

}  // namespace qstack::bench
