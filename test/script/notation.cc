#include "test/script/notation.hh"

#include "test/script/addresses.hh"

namespace qstack::script {
namespace {

std::string flags_text(uint8_t flags) {
  constexpr std::pair<uint8_t, char> kLetters[] = {{kFin, 'F'}, {kSyn, 'S'}, {kRst, 'R'}, {kPsh, 'P'},
                                                   {kUrg, 'U'}, {kEce, 'E'}, {kCwr, 'W'}, {kAck, '.'}};
  std::string text;
  for (const auto& [bit, letter] : kLetters) {
    if (flags & bit) text += letter;
  }
  return text.empty() ? "-" : text;
}

std::string option_text(const Option& option) {
  const auto number = [&](size_t index) { return std::to_string(option.numbers[index]); };
  std::string text;
  switch (option.kind) {
    case kOptionEnd:
      return "eol";
    case kOptionNop:
      return "nop";
    case kOptionMss:
      return "mss " + number(0);
    case kOptionWindowScale:
      return "wscale " + number(0);
    case kOptionSackPermitted:
      return "sackOK";
    case kOptionTimestamps:
      return "TS val " + number(0) + " ecr " + number(1);
    case kOptionSack:
      text = "sack";
      for (size_t i = 0; i + 1 < option.numbers.size(); i += 2) text += " " + number(i) + ":" + number(i + 1);
      return text;
    default:
      break;
  }
  text = "raw ";
  for (const uint8_t byte : option.raw) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

std::string ip_text(const IpFields& ip) {
  constexpr const char* kEcnNames[] = {"noecn", "ect1", "ect0", "ce"};
  std::string text;
  const auto add = [&](const std::string& word) { text += (text.empty() ? "" : ",") + word; };
  if (ip.ecn) add(kEcnNames[*ip.ecn & 3]);
  if (ip.tos) add("tos " + std::to_string(*ip.tos));
  if (ip.ttl) add("ttl " + std::to_string(*ip.ttl));
  if (ip.to) add("to " + write_endpoint(*ip.to));
  if (ip.damaged) add("badsum");
  if (ip.reserved) add("reserved");
  return text.empty() ? text : "[" + text + "] ";
}

}  // namespace

std::string to_text(const Segment& s) {
  std::string text = ip_text(s.ip);
  if (s.peer) text += write_endpoint(*s.peer) + " ";
  text += flags_text(s.flags) + " " + std::to_string(s.seq) + ":" + std::to_string(s.seq + s.length) + "(" +
          std::to_string(s.length) + ")";
  if (s.flags & kAck) text += " ack " + std::to_string(s.ack);
  if (s.window) text += " win " + std::to_string(*s.window);
  if (s.urgent) text += " urg " + std::to_string(*s.urgent);
  if (s.any_options) return text + " <...>";
  if (s.options.empty()) return text;
  text += " <";
  for (size_t i = 0; i < s.options.size(); ++i) text += (i == 0 ? "" : ",") + option_text(s.options[i]);
  return text + ">";
}

std::string to_text(Nanos time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", static_cast<double>(time) / 1e9);
  return text;
}

}  // namespace qstack::script
