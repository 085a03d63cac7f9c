// HttpReader: where a reply of HTTP/1 ends, read as its bytes come; nothing is kept but a few numbers per connection.
//
// In: the bytes behind a request, in any pieces. Out: whether the reply is whole, and its status. Its length is told by
// Content-Length, by chunks, or by the end of the connection (RFC 9112 6.3). Invariant: never reads beyond a reply's end.
#pragma once

#include <cstdint>

namespace qstack::mcc {

class HttpReader {
 public:
  enum class Status : uint8_t { more, whole, bad };

  /// Takes bytes up to the reply's end; `used` says how many. After `whole` the next call begins a new reply.
  Status read(const uint8_t* bytes, uint32_t length, uint32_t& used);
  /// The connection ended: true where that is the reply's end.
  bool ends_here() const { return state_ == State::until_close; }
  /// Forgets a reply that is under way.
  void restart() { *this = HttpReader{}; }

  uint16_t code() const { return code_; }
  /// The server closes the connection behind this reply.
  bool closes() const { return closes_; }

 private:
  enum class State : uint8_t { status_line, header, body, chunk_size, chunk, chunk_end, trailer, until_close };
  enum class Field : uint8_t { none, length, encoding, connection };

  Status take(uint8_t c);
  Status status_line(uint8_t c);
  Status header(uint8_t c);
  Status end_of_head();
  Status chunk_size(uint8_t c);
  Status trailer(uint8_t c);
  void name(uint8_t c);
  void value(uint8_t c);

  uint64_t left_ = 0;        ///< bytes of the body or chunk that are still to come
  uint64_t total_ = 0;       ///< Content-Length
  uint32_t at_ = 0;          ///< bytes of the line so far
  uint16_t code_ = 0;
  State state_ = State::status_line;
  Field field_ = Field::none;
  uint8_t names_ = 0;        ///< bit per field that the line's name may still be
  uint8_t matched_ = 0;      ///< of a value: characters that agree with the one that counts
  bool in_value_ = false;
  bool has_length_ = false, chunked_ = false, closes_ = false;
};

}  // namespace qstack::mcc
