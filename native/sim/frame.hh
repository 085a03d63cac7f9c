// Frame: bytes on their way through the simulated network, and what their sender meant by them.
#pragma once

#include <memory>
#include <vector>

#include "native/mempool/packet_pool.hh"
#include "native/wire/seqnum.hh"

namespace qstack::sim {

inline constexpr uint32_t kNoAttempt = 0xffffffff;

/// What the ledger learns when a segment arrives. Sequence numbers of the sender, but `ack` and `edge`.
struct Note {
  uint32_t attempt = kNoAttempt;
  uint8_t side = 0;  ///< of the sender
  bool again = false;        ///< all its bytes have left before
  uint32_t sent_behind = 0;  ///< bytes that have left before and lie behind its end
  bool acknowledges = false;
  Seq iss = 0;
  Seq end = 0;  ///< one past the last byte, SYN or FIN
  Seq ack = 0;
  Seq edge = 0;  ///< right edge of the window that it offers
};

struct Frame {
  static constexpr uint32_t kBytes = kHeadroom + kRoom;
  Nanos due = 0;
  uint64_t order = 0;  ///< among frames of the same time
  uint16_t length = 0;
  bool damaged = false;  ///< a checksum is wrong: it counts as not received
  bool rewritten = false;  ///< a sender that lies: no checksum tells
  Note note;
  uint8_t bytes[kBytes];
};

/// Frames that are used again and again: the simulation makes hundreds of thousands in a second.
class FrameStore {
 public:
  Frame* take() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Frame>());
      free_.push_back(all_.back().get());
    }
    Frame* const frame = free_.back();
    free_.pop_back();
    frame->damaged = frame->rewritten = false;
    frame->note = {};
    return frame;
  }
  void give(Frame* frame) { free_.push_back(frame); }

 private:
  std::vector<std::unique_ptr<Frame>> all_;
  std::vector<Frame*> free_;
};

}  // namespace qstack::sim
