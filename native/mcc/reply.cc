#include "native/mcc/reply.hh"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "native/mcc/connection.hh"
#include "native/mcc/message.hh"

namespace qstack::mcc {

namespace {

constexpr Reply kMore{};
constexpr Reply kBad{Reply::Status::bad, false, 0, 0, false};

bool parse_hex(const uint8_t* at, uint32_t& out) { return read_counter(at, CounterForm::hexadecimal, out); }

Reply parse_iot(const uint8_t* bytes, uint32_t length) {
  if (length < kIotReply) return kMore;
  Reply reply{Reply::Status::whole, bytes[9] != '2', kIotReply, 0, true};
  return parse_hex(bytes + kIotCounterAt, reply.counter) ? reply : kBad;
}

/// The value of a header (name in lower case, with colon), without leading spaces; empty when it is missing.
std::string_view header(std::string_view head, std::string_view name) {
  size_t line = head.find("\r\n");
  while (line != std::string_view::npos && line + 2 + name.size() <= head.size()) {
    std::string_view rest = head.substr(line + 2);
    bool same = std::equal(name.begin(), name.end(), rest.begin(),
                           [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
    if (same) {
      rest.remove_prefix(name.size());
      while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
      return rest.substr(0, rest.find("\r\n"));
    }
    line = head.find("\r\n", line + 2);
  }
  return {};
}

bool parse_length(std::string_view text, uint32_t& out) {
  if (text.empty() || text.size() > 6) return false;
  out = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + static_cast<uint32_t>(c - '0');
  }
  return true;
}

Reply parse_http(const uint8_t* bytes, uint32_t length) {
  std::string_view text(reinterpret_cast<const char*>(bytes), std::min(length, kReplyMax));
  size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return length >= kReplyMax ? kBad : kMore;
  std::string_view head = text.substr(0, end + 2);
  uint32_t body = 0, counter = 0;
  std::string_view digits = header(head, "x-counter:");
  if (!parse_length(header(head, "content-length:"), body) || digits.size() != 8) return kBad;
  if (!parse_hex(reinterpret_cast<const uint8_t*>(digits.data()), counter)) return kBad;
  uint32_t whole = static_cast<uint32_t>(end) + 4 + body;
  if (whole > kReplyMax) return kBad;
  if (length < whole) return kMore;
  return {Reply::Status::whole, bytes[9] != '2', whole, counter, true};
}

}  // namespace

Reply parse_reply(const uint8_t* bytes, uint32_t length) {
  if (std::memcmp(bytes, "HTTP/1", std::min(length, 6u)) != 0) return kBad;
  if (length < 10) return kMore;
  if (bytes[6] == 3) return parse_iot(bytes, length);
  return bytes[6] == '.' ? parse_http(bytes, length) : kBad;
}

Assembler::Assembler(uint16_t count) : parts_(count) {
  for (uint16_t i = count; i > 0; --i) free_.push_back(static_cast<uint16_t>(i - 1));
}

uint16_t Assembler::take() {
  if (free_.empty()) return kNoPartial;
  uint16_t index = free_.back();
  free_.pop_back();
  parts_[index].length = 0;
  return index;
}

void Assembler::give(uint16_t index) { free_.push_back(index); }

}  // namespace qstack::mcc
