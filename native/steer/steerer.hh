// Steerer: gives the frames that one stack has polled to the stacks whose they are, its own ones to itself.
//
// In: frames of a device's queue, and what this stack has put together from fragments (take). Out: this stack's in order, the
// others' on a way to each, those for all as copies. Invariant: no stack waits for another: a frame for a stack whose way is full is
// dropped and counted, as a device drops for a full queue.
// Read first: frame_target.hh (whose a frame is), frame_way.hh (whose packets are freed where).
#pragma once

#include <deque>
#include <vector>

#include "native/ip/other_stacks.hh"
#include "native/steer/flow_steering.hh"
#include "native/steer/frame_batch.hh"
#include "native/steer/frame_target.hh"
#include "native/steer/frame_way.hh"

namespace qstack {

/// Frames of one of the other stacks.
struct SteerCounts {
  uint64_t steered = 0;    ///< given to it
  uint64_t dropped = 0;    ///< received for it: its way was full, or there was no packet for a copy
  uint64_t forwarded = 0;  ///< of it, taken by the device

  SteerCounts& operator+=(const SteerCounts& other) {
    steered += other.steered;
    dropped += other.dropped;
    forwarded += other.forwarded;
    return *this;
  }
};

class Steerer final : public OtherStacks {
 public:
  /// Of stack `own`, whose pool is `rx`. `ways[k]` leads to stack k; its own is null. All outlive this.
  Steerer(uint32_t own, PacketPool& rx, const FlowSteering& steering, const std::vector<FrameWay*>& ways);
  ~Steerer() override;
  Steerer(const Steerer&) = delete;
  Steerer& operator=(const Steerer&) = delete;

  /// A burst at most, and not before take_own() has given away the last one's.
  void steer(Packet* const* packets, uint32_t n);
  uint32_t take_own(Packet** out, uint32_t n);
  /// The stack's, between two bursts: `packet` is of its pool. Where a tag of 802.1Q was taken off it is put on again.
  bool take(Packet* packet) override;
  /// Packets that have come home.
  void reclaim();

  /// Frames moved for other stacks since this was asked last: work, although this stack had none. Without it its thread would take
  /// naps while others are busy.
  uint32_t take_moved();
  void note_moved(uint32_t frames) { moved_ += frames; }
  SteerCounts counts(uint32_t stack) const { return lanes_[lane_of(stack)].counts; }

 private:
  /// What this thread keeps of another stack.
  struct Lane {
    Lane(FrameWay& way, PacketPool& rx) : sender(way, rx) {}
    FrameSender sender;
    SteerCounts counts;
    FrameBatch picked;  ///< of the burst that is being steered
  };

  uint32_t lane_of(uint32_t stack) const { return stack < own_stack_ ? stack : stack - 1; }
  uint32_t stack_of(const FrameTarget& target) const {
    return target.reader == FrameReader::flow ? steering_.groups.stack_of(target.hash) : 0;
  }
  void pick(Packet* packet);
  void copy_to_all(const Packet& packet);
  void hand_over(Lane& lane);

  uint32_t own_stack_;
  PacketPool& rx_;
  const FlowSteering& steering_;
  std::deque<Lane> lanes_;
  FrameBatch own_;
  uint32_t moved_ = 0;
};

}  // namespace qstack
