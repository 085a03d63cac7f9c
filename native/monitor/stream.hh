// Stream: one direction of a connection as a third party sees it: which bytes have passed, and which pass again.
//
//   passed ▓▓▓▓▓▓▓░░░▓▓▓▓ │ not yet        ░ a hole: bytes that were lost before they came here, or come later
//                    end ─┘
//
// In: sequence numbers and lengths of segments, in the order of their frames. Out: how many bytes of each are new here. All
// arithmetic is modulo 2^32. Four holes are kept; what fills a forgotten one counts as sent again.
#pragma once

#include <array>
#include <cstdint>

#include "native/wire/seqnum.hh"

namespace qstack::monitor {

/// What a segment brought.
struct Sight {
  enum class Kind : uint8_t {
    next,   ///< the bytes that were awaited
    ahead,  ///< bytes behind a hole
    late,   ///< into a hole: seen for the first time all the same
    again,  ///< nothing new
    partly_again,  ///< bytes that had passed, then new ones
  };
  Kind kind = Kind::next;
  uint32_t skip = 0;  ///< bytes of the segment that had passed before
  bool fresh() const { return kind != Kind::again; }
  bool repeats() const { return kind == Kind::again || kind == Kind::partly_again; }
};

class Stream {
 public:
  /// A new connection begins; its first byte is `first`.
  void begin(Seq first) {
    *this = Stream{};
    known_ = true;
    end_ = first;
  }

  Sight see(Seq seq, uint32_t length) {
    using Kind = Sight::Kind;
    const Seq end = seq + length;
    if (!known_ || seq == end_ || far(seq)) {
      if (known_ && seq != end_) holes_ = {};
      known_ = true;
      end_ = end;
      return {Kind::next};
    }
    if (seq_gt(seq, end_)) {
      remember({end_, seq});
      end_ = end;
      return {Kind::ahead};
    }
    if (fill(seq, end)) return {Kind::late};
    if (seq_le(end, end_)) return {Kind::again};
    const uint32_t skip = end_ - seq;
    end_ = end;
    return {Kind::partly_again, skip};
  }

  bool known() const { return known_; }
  /// Behind the furthest byte that has passed.
  Seq end() const { return end_; }

 private:
  struct Hole {
    Seq first = 0, end = 0;
    bool empty() const { return first == end; }
  };
  static constexpr uint32_t kFar = 1u << 30;

  /// No window is so large: another connection on the same ports, of which the beginning was missed.
  bool far(Seq seq) const {
    const uint32_t ahead = seq - end_;
    return ahead >= kFar && ahead <= 0u - kFar;
  }

  void remember(Hole hole) {
    for (Hole& place : holes_) {
      if (!place.empty()) continue;
      place = hole;
      return;
    }
    for (size_t i = 1; i < holes_.size(); ++i) holes_[i - 1] = holes_[i];
    holes_.back() = hole;
  }

  /// The part of a hole that the segment fills is none any more. A segment that is only partly in a hole counts as late.
  bool fill(Seq seq, Seq end) {
    for (Hole& hole : holes_) {
      if (hole.empty() || seq_le(end, hole.first) || seq_ge(seq, hole.end)) continue;
      const Hole before = seq_gt(seq, hole.first) ? Hole{hole.first, seq} : Hole{};
      const Hole behind = seq_lt(end, hole.end) ? Hole{end, hole.end} : Hole{};
      hole = before;
      if (!behind.empty()) before.empty() ? void(hole = behind) : remember(behind);
      return true;
    }
    return false;
  }

  std::array<Hole, 4> holes_{};
  Seq end_ = 0;
  bool known_ = false;
};

}  // namespace qstack::monitor
