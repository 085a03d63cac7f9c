#include "native/steer/frame_way.hh"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace qstack {

namespace {

/// A frame was written by another core: its Packet is asked for so many frames ahead, its bytes half as many.
constexpr uint32_t kPacketsAhead = 8;

}  // namespace

FrameSender::FrameSender(FrameWay& way, PacketPool& home)
    : home_(home), way_(way.frames_.view()), frames_(way_), returns_(way.returns_.view()) {}

/// What came home, and what the other end, stopped by now, has not taken.
FrameSender::~FrameSender() {
  reclaim();
  RingConsumer<Packet*> rest(way_);
  rest.refresh();
  for (Packet* packet = nullptr; rest.take(packet);) home_.release(packet);
  rest.publish();
}

uint32_t FrameSender::send(Packet* const* packets, uint32_t n) {
  uint32_t count = 0;
  while (count < n && away_ < way_.capacity && frames_.push(packets[count])) {
    assert(packets[count]->length <= kRoom);
    ++count;
    ++away_;
  }
  if (count > 0) frames_.publish();
  return count;
}

void FrameSender::reclaim() {
  if (away_ == 0 || returns_.refresh() == 0) return;
  for (Packet* packet = nullptr; returns_.take(packet); --away_) home_.release(packet);
  returns_.publish();
}

FrameReceiver::FrameReceiver(FrameWay& way, PacketPool& pool)
    : pool_(pool), frames_(way.frames_.view()), returns_(way.returns_.view()) {}

uint32_t FrameReceiver::receive(Packet** out, uint32_t n) {
  const uint32_t count = std::min({n, frames_.refresh(), pool_.available()});
  if (count == 0 || pool_.allocate(out, count) == 0) return 0;
  for (uint32_t i = 0; i < kPacketsAhead; ++i) foresee(i);
  Packet* frame = nullptr;
  for (uint32_t i = 0; i < count && frames_.take(frame); ++i) {
    foresee(kPacketsAhead - 1);
    Packet& copy = *out[i];
    std::memcpy(copy.data, frame->data, frame->length);
    copy.length = frame->length;
    copy.rx_stamp = frame->rx_stamp;
    copy.arrival = arrival_++;
    returns_.push(frame);
  }
  returns_.publish();
  frames_.publish();
  return count;
}

void FrameReceiver::foresee(uint32_t ahead) const {
  if (Packet* const* const far = frames_.peek(ahead)) __builtin_prefetch(*far);
  if (ahead < kPacketsAhead / 2) return;
  if (Packet* const* const near = frames_.peek(ahead - kPacketsAhead / 2)) __builtin_prefetch((*near)->data);
}

}  // namespace qstack
