#include "native/monitor/message_reader.hh"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

#include "native/classify/locate.hh"
#include "native/mcc/message.hh"
#include "native/mcc/reply.hh"

namespace qstack::monitor {
namespace {

/// RFC 8446 5.1: the type of records that carry the application's bytes.
constexpr uint8_t kTlsApplicationData = 23;

constexpr std::string_view kMethods[] = {"GET ",     "POST ",    "PUT ",   "HEAD ",  "DELETE ",
                                         "OPTIONS ", "CONNECT ", "TRACE ", "PATCH "};

bool starts_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

bool begins_http(Way way, Bytes message) {
  if (way == Way::response) return starts_with(message, "HTTP/1.");
  return std::any_of(std::begin(kMethods), std::end(kMethods), [&](std::string_view method) { return starts_with(message, method); });
}

std::optional<uint32_t> read_hex(Bytes digits) {
  if (digits.size() < 8) return std::nullopt;
  const auto* const text = reinterpret_cast<const char*>(digits.data());
  uint32_t value = 0;
  const auto [end, fault] = std::from_chars(text, text + 8, value, 16);
  return fault == std::errc() && end == text + 8 ? std::optional(value) : std::nullopt;
}

/// Of the iot form at its place; of HTTP behind the name of the header, as iotepserver writes it (native/mcc/reply.hh).
std::optional<uint32_t> counter_of_reply(Bytes reply) {
  constexpr std::string_view kHeader = "\r\nX-Counter: ";
  constexpr uint8_t kIotLabel = 3;
  if (reply[6] == kIotLabel) {
    return reply.size() < mcc::kIotReply ? std::nullopt : read_hex(reply.subspan(mcc::kIotCounterAt));
  }
  const std::string_view text(reinterpret_cast<const char*>(reply.data()), reply.size());
  const size_t at = text.find(kHeader);
  return at == std::string_view::npos ? std::nullopt : read_hex(reply.subspan(at + kHeader.size()));
}

}  // namespace

MessageReader::MessageReader(const MatchConfig& config)
    : config_(config), scratch_(config.level.by == LevelBy::rules ? UINT16_MAX : 0) {}

bool MessageReader::begins(Way way, Bytes message, uint32_t length) const {
  if (length == 0) return false;
  if (config_.framing == Framing::http) return begins_http(way, message);
  if (config_.framing == Framing::https) return !message.empty() && message[0] == kTlsApplicationData;
  return true;
}

bool MessageReader::labelled(Way way, Bytes message) const {
  const Labels& labels = config_.labels;
  if (!labels.enabled) return true;
  const std::vector<uint8_t>& values = way == Way::request ? labels.request : labels.response;
  return labels.offset < message.size() && std::find(values.begin(), values.end(), message[labels.offset]) != values.end();
}

uint8_t MessageReader::level(Bytes message, uint32_t length, const Segment& segment, Bytes frame) {
  const LevelRule& rule = config_.level;
  switch (rule.by) {
    case LevelBy::none: return 0;
    case LevelBy::byte: return level_by_byte(message);
    case LevelBy::length: return length > rule.length ? 0 : 1;
    case LevelBy::rules: return level_by_rules(segment, frame);
  }
  return 0;
}

uint8_t MessageReader::level_by_byte(Bytes message) const {
  const std::vector<uint8_t>& values = config_.level.values;
  const uint16_t offset = config_.level.offset;
  if (offset >= message.size()) return static_cast<uint8_t>(values.size());
  return static_cast<uint8_t>(std::find(values.begin(), values.end(), message[offset]) - values.begin());
}

uint8_t MessageReader::level_by_rules(const Segment& segment, Bytes frame) {
  Packet packet{};
  packet.data = scratch_.data();
  packet.length = static_cast<uint16_t>(std::min<size_t>(segment.frame_length, scratch_.size()));
  const size_t captured = std::min<size_t>(frame.size(), packet.length);
  std::memcpy(scratch_.data(), frame.data(), captured);
  const bool found = locate_tcp(packet);
  const uint8_t level = found ? config_.rules.classify(packet) : uint8_t{0};
  std::memset(scratch_.data(), 0, captured);
  return std::min<uint8_t>(level, static_cast<uint8_t>(config_.level.levels - 1));
}

std::optional<uint32_t> MessageReader::counter(Way way, Bytes message) const {
  if (!config_.iot || message.size() < mcc::kMessageMin) return std::nullopt;
  if (way == Way::response) return counter_of_reply(message);
  return message[0] | message[1] << 8 | message[2] << 16 | static_cast<uint32_t>(message[3]) << 24;
}

}  // namespace qstack::monitor
