// Replies as bytes: where one ends, which request it answers, and whether it is an error.
//
//   iot   146 bytes of a status line and headers, byte 6 = 0x03, at 126 the request's counter as 8 hex digits
//   http  headers with Content-Length and X-Counter (8 hex digits), then the body; at most kReplyMax bytes
// iot and http are told apart by byte 6. Reads stay inside the given bytes whatever they hold. What has no counter: an echo of
// a message without one (engine_replies.cc), and reply_stream.hh.
#pragma once

#include <cstdint>
#include <vector>

namespace qstack::mcc {

inline constexpr uint32_t kReplyMax = 1536;
inline constexpr uint32_t kIotReply = 146;
inline constexpr uint32_t kIotCounterAt = 126;

/// echo: the request itself comes back. http: any response of HTTP/1.
enum class ReplyKind : uint8_t { iot_or_http = 0, echo = 1, fixed = 2, length_prefix = 3, http = 4 };

struct ReplyFormat {
  ReplyKind kind = ReplyKind::iot_or_http;
  uint32_t length = 1;  ///< fixed: bytes; length_prefix: the most bytes
  uint16_t offset = 0;  ///< of the length field, from the reply's first byte
  uint8_t width = 2;    ///< of the length field, in bytes: up to 4
  bool little_endian = false;
  int32_t adjust = 0;  ///< added to what stands there to get the bytes of the whole reply
};

struct Reply {
  enum class Status : uint8_t { more, whole, bad };
  Status status = Status::more;
  bool error = false;
  uint32_t length = 0;
  uint32_t counter = 0;
  bool counted = false;  ///< there is a counter; otherwise it answers the oldest request
};

/// Looks at the first `length` bytes of an iot or http reply. `whole`: the reply's own length and counter are set.
Reply parse_reply(const uint8_t* bytes, uint32_t length);

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
