// ReplyReader: the bytes of one connection → replies, by hiredis' parser with object functions of our own.
//
// In: bytes as they come, cut anywhere. Out: one Reply at a time; its bytes are valid until the next call. An array's
// bytes are its items, depth first: type u32, then length u32 and bytes padded to 4 (an integer: length 8 and its
// value; an array: the number of items that follow it; nil: 0). Invariant: no object is allocated per reply; the
// staging buffer is as large as the largest reply that is kept (kPlaceMax), longer ones are read and said to be
// too big. What is longer than kBufferedMax, or no RESP at all, breaks the connection.
#pragma once

#include <hiredis/read.h>

#include <cstdint>
#include <span>
#include <vector>

#include "native/abi/layout.hh"

namespace qstack::redis {

struct Reply {
  abi::RedisType type = abi::RedisType::none;
  bool too_big = false;
  int64_t integer = 0;
  std::span<const uint8_t> bytes;
};

class ReplyReader {
 public:
  enum class Next : uint8_t { reply, more, broken };
  /// Bytes of one reply that hiredis may have to keep until its end has come.
  static constexpr size_t kBufferedMax = 16 * 1024 * 1024;

  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  /// False: too much without the end of a reply, or no memory.
  bool feed(std::span<const uint8_t> bytes);
  Next next(Reply& out);
  /// Forgets everything: a new connection begins.
  void reset();
  /// Bytes that were fed and are not yet part of a reply.
  size_t buffered() const { return reader_->len - reader_->pos; }

 private:
  static void* on_string(const redisReadTask* task, char* bytes, size_t length);
  static void* on_array(const redisReadTask* task, int count);
  static void* on_integer(const redisReadTask* task, long long value);
  static void* on_nil(const redisReadTask* task);
  static void on_free(void* object);

  void* note(const redisReadTask* task, abi::RedisType type, const void* bytes, size_t length, uint32_t word);
  void append(const void* bytes, size_t length);
  void append_word(uint32_t word) { append(&word, sizeof word); }

  redisReplyObjectFunctions functions_;
  redisReader* reader_;
  std::vector<uint8_t> staging_;
  Reply reply_;
};

}  // namespace qstack::redis
