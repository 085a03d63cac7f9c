// Replies as bytes: where one ends, which request it answers, and whether it is an error.
//
//   iot   146 bytes of a status line and headers, byte 6 = 0x03, at 126 the request's counter as 8 hex digits
//   http  headers with Content-Length and X-Counter (8 hex digits), then the body; at most kReplyMax bytes
//   echo  the request itself: its length, the counter in bytes 0..3
// iot and http are told apart by byte 6. Reads stay inside the given bytes whatever they hold.
#pragma once

#include <cstdint>
#include <vector>

namespace qstack::mcc {

inline constexpr uint32_t kReplyMax = 1536;
inline constexpr uint32_t kIotReply = 146;
inline constexpr uint32_t kIotCounterAt = 126;

enum class ReplyKind : uint8_t { iot_or_http = 0, echo = 1 };

struct Reply {
  enum class Status : uint8_t { more, whole, bad };
  Status status = Status::more;
  bool error = false;
  uint32_t length = 0;
  uint32_t counter = 0;
};

class ReplyParser {
 public:
  ReplyParser(ReplyKind kind, uint16_t echo_length) : kind_(kind), echo_length_(echo_length) {}
  /// Looks at the first `length` bytes of a reply. `whole`: the reply's own length and counter are set.
  Reply parse(const uint8_t* bytes, uint32_t length) const;

 private:
  ReplyKind kind_;
  uint16_t echo_length_;
};

/// Holds the beginnings of replies that a segment cut in two; a bounded number of them.
class Assembler {
 public:
  explicit Assembler(uint16_t count);

  struct Part {
    uint16_t length = 0;
    uint8_t bytes[kReplyMax];
  };

  /// kNoPartial when all are taken.
  uint16_t take();
  void give(uint16_t index);
  Part& at(uint16_t index) { return parts_[index]; }

 private:
  std::vector<Part> parts_;
  std::vector<uint16_t> free_;
};

}  // namespace qstack::mcc
