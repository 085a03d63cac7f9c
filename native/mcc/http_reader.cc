#include "native/mcc/http_reader.hh"

#include <algorithm>
#include <array>
#include <string_view>

namespace qstack::mcc {

namespace {

/// In the order of Field.
constexpr std::array<std::string_view, 4> kNames = {"", "content-length", "transfer-encoding", "connection"};
constexpr std::array<std::string_view, 4> kValues = {"", "", "chunked", "close"};
constexpr uint32_t kLineMax = 16'384;
constexpr uint64_t kBodyMax = uint64_t{1} << 50;

constexpr uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

int hex_value(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

HttpReader::Status HttpReader::read(const uint8_t* bytes, uint32_t length, uint32_t& used) {
  Status status = Status::more;
  for (used = 0; used < length && status == Status::more;) {
    if (state_ == State::until_close) {
      used = length;
    } else if (state_ == State::body || state_ == State::chunk) {
      const auto n = static_cast<uint32_t>(std::min<uint64_t>(left_, length - used));
      used += n;
      left_ -= n;
      if (left_ > 0) continue;
      if (state_ == State::body) status = Status::whole;
      state_ = State::chunk_end;
    } else {
      status = take(bytes[used++]);
    }
  }
  if (status == Status::whole) {
    const uint16_t code = code_;
    const bool closes = closes_;
    restart();
    code_ = code;
    closes_ = closes;
  }
  return status;
}

HttpReader::Status HttpReader::take(uint8_t c) {
  if (++at_ > kLineMax) return Status::bad;
  switch (state_) {
    case State::status_line:
      return status_line(c);
    case State::header:
      return header(c);
    case State::chunk_size:
      return chunk_size(c);
    case State::chunk_end:
      if (c == '\n') state_ = State::chunk_size, left_ = at_ = 0;
      return c == '\r' || c == '\n' ? Status::more : Status::bad;
    default:
      return trailer(c);
  }
}

/// `HTTP/1.1 200 OK`
HttpReader::Status HttpReader::status_line(uint8_t c) {
  constexpr std::string_view kStart = "HTTP/1.";
  if (at_ == 1) code_ = 0, closes_ = false;
  if (at_ <= kStart.size()) return c == static_cast<uint8_t>(kStart[at_ - 1]) ? Status::more : Status::bad;
  if (at_ == 8) closes_ = c == '0';
  if (at_ >= 10 && at_ <= 12) {
    if (c < '0' || c > '9') return Status::bad;
    code_ = static_cast<uint16_t>(code_ * 10 + (c - '0'));
  }
  if (c != '\n') return Status::more;
  state_ = State::header;
  at_ = 0;
  return code_ >= 100 ? Status::more : Status::bad;
}

HttpReader::Status HttpReader::header(uint8_t c) {
  if (c == '\n') {
    const bool empty = at_ == 1 || (at_ == 2 && !in_value_ && names_ == 0);
    at_ = 0;
    in_value_ = false;
    field_ = Field::none;
    return empty ? end_of_head() : Status::more;
  }
  if (in_value_) value(c);
  else name(c);
  return Status::more;
}

/// Which of the names that count the line begins with.
void HttpReader::name(uint8_t c) {
  if (at_ == 1) names_ = c == '\r' ? 0 : 0b1110;
  if (c == ':') {
    for (size_t i = 1; i < kNames.size(); ++i) {
      if ((names_ >> i & 1) != 0 && kNames[i].size() == at_ - 1) field_ = static_cast<Field>(i);
    }
    if (field_ == Field::length) has_length_ = true, total_ = 0;
    in_value_ = true;
    matched_ = 0;
    return;
  }
  for (size_t i = 1; i < kNames.size(); ++i) {
    const bool same = at_ <= kNames[i].size() && lower(c) == static_cast<uint8_t>(kNames[i][at_ - 1]);
    if (!same) names_ = static_cast<uint8_t>(names_ & ~(1u << i));
  }
}

void HttpReader::value(uint8_t c) {
  if (field_ == Field::length && c >= '0' && c <= '9' && total_ < kBodyMax) total_ = total_ * 10 + (c - '0');
  if (field_ != Field::encoding && field_ != Field::connection) return;
  const std::string_view wanted = kValues[static_cast<size_t>(field_)];
  const auto is = [&](size_t at) { return lower(c) == static_cast<uint8_t>(wanted[at]); };
  if (matched_ < wanted.size()) matched_ = is(matched_) ? matched_ + 1 : is(0) ? 1 : 0;
  if (matched_ == wanted.size()) (field_ == Field::encoding ? chunked_ : closes_) = true;
}

/// RFC 9112 6.3, in its order. An interim reply (1xx) is followed by the one that counts.
HttpReader::Status HttpReader::end_of_head() {
  if (code_ < 200) {
    restart();
    return Status::more;
  }
  if (code_ == 204 || code_ == 304) return Status::whole;
  if (chunked_) {
    state_ = State::chunk_size;
    left_ = 0;
    return Status::more;
  }
  if (!has_length_) {
    state_ = State::until_close;
    return Status::more;
  }
  state_ = State::body;
  left_ = total_;
  return left_ == 0 ? Status::whole : Status::more;
}

/// `1a;extension`: what is behind the digits is passed over.
HttpReader::Status HttpReader::chunk_size(uint8_t c) {
  if (c == '\n') {
    at_ = 0;
    state_ = left_ == 0 ? State::trailer : State::chunk;
    in_value_ = false;
    return Status::more;
  }
  const int digit = hex_value(c);
  if (at_ == 1 && digit < 0) return Status::bad;
  if (digit < 0) in_value_ = true;
  if (!in_value_) left_ = left_ << 4 | static_cast<uint64_t>(digit);
  return left_ > kBodyMax ? Status::bad : Status::more;
}

/// Lines behind the last chunk, up to an empty one.
HttpReader::Status HttpReader::trailer(uint8_t c) {
  if (c != '\n') {
    if (c != '\r') in_value_ = true;
    return Status::more;
  }
  const bool empty = !in_value_;
  at_ = 0;
  in_value_ = false;
  return empty ? Status::whole : Status::more;
}

}  // namespace qstack::mcc
