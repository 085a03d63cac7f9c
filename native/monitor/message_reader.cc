#include "native/monitor/message_reader.hh"

#include <algorithm>
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
    case LevelBy::byte: return rule.offset < message.size() && message[rule.offset] == rule.value ? 0 : 1;
    case LevelBy::length: return length > rule.length ? 0 : 1;
    case LevelBy::rules: return level_by_rules(segment, frame);
  }
  return 0;
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
  if (way == Way::response) {
    const mcc::ReplyParser parser(mcc::ReplyKind::iot_or_http, 0);
    const mcc::Reply reply = parser.parse(message.data(), static_cast<uint32_t>(message.size()));
    return reply.status == mcc::Reply::Status::whole ? std::optional(reply.counter) : std::nullopt;
  }
  return message[0] | message[1] << 8 | message[2] << 16 | static_cast<uint32_t>(message[3]) << 24;
}

}  // namespace qstack::monitor
