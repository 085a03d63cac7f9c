#include "test/script/reader.hh"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "native/wire/ecn.hh"
#include "test/script/addresses.hh"
#include "test/script/cursor.hh"

namespace qstack::script {
namespace {

constexpr std::string_view kFlagLetters = "FSRP.UEW-";

Time read_time(Cursor& at) {
  if (at.accept("*")) return {Time::Kind::any};
  Time time;
  time.kind = at.accept("+") ? Time::Kind::relative : Time::Kind::absolute;
  time.from = time.to = at.seconds();
  if (!at.accept("~")) return time;
  if (time.kind == Time::Kind::relative) at.expect("+");
  time.to = at.seconds();
  if (time.to < time.from) at.fail("a range of times ends before it begins");
  return time;
}

uint8_t read_flags(Cursor& at) {
  constexpr uint8_t kBits[] = {kFin, kSyn, kRst, kPsh, kAck, kUrg, kEce, kCwr, 0};
  const std::string letters = at.word();
  uint8_t flags = 0;
  for (const char letter : letters) {
    const size_t index = kFlagLetters.find(letter);
    if (index == std::string_view::npos) at.fail("'" + letters + "' is no set of flags: " + std::string(kFlagLetters));
    flags |= kBits[index];
  }
  return flags;
}

Option read_option(const std::string& text, const Cursor& line) {
  Cursor at(text, "");
  const auto wrong = [&] { line.fail("'" + text + "' is no option"); };
  const std::string name = at.word();
  try {
    if (name == "mss") return {kOptionMss, {at.number_up_to(0xffff)}};
    if (name == "wscale") return {kOptionWindowScale, {at.number_up_to(0xff)}};
    if (name == "raw") return {kOptionRaw, {}, at.hex_bytes()};
    if (name == "TS") {
      Option option{kOptionTimestamps};
      at.expect("val");
      option.numbers.push_back(at.number());
      at.expect("ecr");
      option.numbers.push_back(at.number());
      return option;
    }
    if (name == "sack") {
      Option option{kOptionSack};
      while (!at.done()) {
        option.numbers.push_back(at.number());
        at.expect(":");
        option.numbers.push_back(at.number());
      }
      return option;
    }
  } catch (const Fault&) {
    wrong();
  }
  if (name == "nop") return {kOptionNop};
  if (name == "eol") return {kOptionEnd};
  if (name == "sackOK") return {kOptionSackPermitted};
  wrong();
  return {};
}

void read_options(Cursor& at, Segment& segment) {
  at.expect("<");
  if (at.accept("...")) {
    segment.any_options = true;
  } else {
    while (at.peek() != '>') {
      segment.options.push_back(read_option(at.until(",>"), at));
      at.accept(",");
      if (at.done()) at.fail("the options end with '>'");
    }
  }
  at.expect(">");
}

void read_ip_field(Cursor& at, IpFields& ip) {
  const std::string name = at.until(" ,]");
  if (name == "noecn") {
    ip.ecn = kEcnNotCapable;
  } else if (name == "ect0") {
    ip.ecn = kEcnCapable;
  } else if (name == "ect1") {
    ip.ecn = 1;
  } else if (name == "ce") {
    ip.ecn = kEcnCongestion;
  } else if (name == "tos") {
    ip.tos = static_cast<uint8_t>(at.number_up_to(0xff));
  } else if (name == "ttl") {
    ip.ttl = static_cast<uint8_t>(at.number_up_to(0xff));
  } else if (name == "badsum") {
    ip.damaged = true;
  } else if (name == "reserved") {
    ip.reserved = true;
  } else if (name == "ipopt") {
    ip.options = at.hex_bytes();
    if (ip.options.size() % 4 != 0 || ip.options.size() > 40) at.fail("IP options are whole words, 40 bytes at most");
  } else if (name == "to") {
    const std::string address = at.until(",]");
    ip.to = read_endpoint(address);
    if (!ip.to) at.fail("'" + address + "' is no address");
  } else {
    at.fail("'" + name + "' is no word for the IP header");
  }
}

void read_ip_fields(Cursor& at, IpFields& ip) {
  if (!at.accept("[")) return;
  while (!at.accept("]")) {
    if (at.done()) at.fail("']' is missing");
    read_ip_field(at, ip);
    at.accept(",");
  }
}

/// `10.0.0.3:5001` or `:5001`; flags hold neither digit nor colon.
void read_peer(Cursor& at, std::optional<Endpoint>& peer) {
  const size_t colon = at.rest().find(':');
  const std::string_view first = at.rest().substr(0, std::min(at.rest().find(' '), at.rest().size()));
  if (colon >= first.size() || first.find('(') != std::string_view::npos) return;
  const std::string text = at.word();
  peer = read_endpoint(text);
  if (!peer || peer->port == 0) at.fail("'" + text + "' is no peer: address:port or :port");
}

/// seq:end(length)
void read_range(Cursor& at, Seq& seq, uint32_t& length) {
  seq = at.number();
  at.expect(":");
  const Seq end = at.number();
  at.expect("(");
  length = at.number();
  at.expect(")");
  if (seq + length != end) at.fail("the sequence numbers and the length in brackets disagree");
}

Segment read_segment(Cursor& at) {
  Segment segment;
  read_ip_fields(at, segment.ip);
  read_peer(at, segment.peer);
  segment.flags = read_flags(at);
  read_range(at, segment.seq, segment.length);
  bool acked = false;
  while (!at.done()) {
    if (at.sees("<")) {
      read_options(at, segment);
      continue;
    }
    const std::string word = at.word();
    if (word == "ack") {
      segment.ack = at.number();
      acked = true;
    } else if (word == "win") {
      segment.window = static_cast<uint16_t>(at.number_up_to(0xffff));
    } else if (word == "urg") {
      segment.urgent = static_cast<uint16_t>(at.number_up_to(0xffff));
    } else {
      at.fail("'" + word + "' is neither ack, win, urg nor options");
    }
  }
  if (acked != ((segment.flags & kAck) != 0)) at.fail("'.' among the flags and 'ack' go together");
  return segment;
}

struct IcmpName {
  const char *type, *code;
  bool ipv6;
  uint8_t type_number, code_number;
};

constexpr IcmpName kIcmpNames[] = {
    {"unreachable", "net_unreachable", false, 3, 0},   {"unreachable", "host_unreachable", false, 3, 1},
    {"unreachable", "protocol_unreachable", false, 3, 2}, {"unreachable", "port_unreachable", false, 3, 3},
    {"unreachable", "frag_needed", false, 3, 4},       {"unreachable", "source_route_failed", false, 3, 5},
    {"unreachable", "admin_prohibited", false, 3, 13}, {"source_quench", "", false, 4, 0},
    {"time_exceeded", "", false, 11, 0},               {"parameter_problem", "", false, 12, 0},
    {"unreachable", "no_route", true, 1, 0},           {"unreachable", "admin_prohibited", true, 1, 1},
    {"unreachable", "address_unreachable", true, 1, 3}, {"unreachable", "port_unreachable", true, 1, 4},
    {"packet_too_big", "", true, 2, 0},                {"time_exceeded", "", true, 3, 0},
    {"parameter_problem", "", true, 4, 0},
};

Icmp read_icmp(Cursor& at, bool ipv6) {
  Icmp icmp;
  const std::string type = at.word();
  const auto known = [&](const IcmpName& name) {
    return name.ipv6 == ipv6 && type == name.type && (name.code[0] == '\0' || at.sees(name.code));
  };
  const auto* const name = std::find_if(std::begin(kIcmpNames), std::end(kIcmpNames), known);
  if (name == std::end(kIcmpNames)) at.fail("unknown ICMP error '" + type + " " + std::string(at.rest()) + "'");
  at.accept(name->code);
  icmp.type = name->type_number;
  icmp.code = name->code_number;
  if (at.accept("mtu")) icmp.mtu = at.number();
  at.expect("[");
  read_peer(at, icmp.peer);
  read_range(at, icmp.seq, icmp.length);
  at.expect("]");
  return icmp;
}

/// Arguments at the top level of brackets; strings stay as they are.
std::vector<std::string> split_arguments(std::string_view text) {
  std::vector<std::string> all(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (c == ',' && depth == 0) {
      all.emplace_back();
    } else if (c != ' ' || !all.back().empty()) {
      all.back() += c;
    }
  }
  if (all.size() == 1 && all[0].empty()) all.clear();
  return all;
}

Call read_call(Cursor& at) {
  Call call;
  call.name = at.until("(");
  at.expect("(");
  int depth = 1;
  size_t length = 0;
  for (; length < at.rest().size() && depth > 0; ++length) {
    if (at.rest()[length] == '(') ++depth;
    if (at.rest()[length] == ')') --depth;
  }
  if (depth != 0) at.fail("')' is missing");
  call.arguments = split_arguments(at.rest().substr(0, length - 1));
  const std::string skipped(at.rest().substr(0, length));
  at.accept(skipped);
  at.expect("=");
  call.result = at.signed_number();
  if (!at.done() && at.peek() != '(') call.error = at.word();
  return call;
}

/// A number, or a state by its name: as TCP_INFO of Linux numbers them.
int64_t read_value(Cursor& at) {
  constexpr const char* kStates[] = {"ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
                                     "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"};
  if (std::isalpha(static_cast<unsigned char>(at.peek())) == 0) return at.signed_number();
  const std::string name = at.until(" ,");
  for (size_t i = 0; i < std::size(kStates); ++i) {
    if (name == kStates[i] || name == std::string("TCP_") + kStates[i]) return static_cast<int64_t>(i) + 1;
  }
  at.fail("'" + name + "' is neither a number nor a state");
}

Assertions read_assertions(std::string_view text, const std::string& where) {
  Assertions assertions;
  std::string lines(text);
  std::replace(lines.begin(), lines.end(), ';', '\n');
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    Cursor at(line, where);
    if (at.done()) continue;
    at.accept("assert ");
    Comparison comparison;
    comparison.name = at.until(" <>=!");
    comparison.relation = at.until(" -0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    constexpr std::string_view kRelations[] = {"==", "!=", "<", "<=", ">", ">="};
    if (std::find(std::begin(kRelations), std::end(kRelations), comparison.relation) == std::end(kRelations)) {
      at.fail("'" + comparison.relation + "' compares nothing");
    }
    comparison.value = read_value(at);
    if (!at.done() && at.peek() != ',') at.fail("'" + std::string(at.rest()) + "' is not understood");
    assertions.all.push_back(std::move(comparison));
  }
  return assertions;
}

/// Lines with their numbers; comments are gone, and what stands between %{ and }% is one line.
struct Line {
  uint32_t number;
  std::string text;
};

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  std::istringstream in{std::string(text)};
  uint32_t number = 0;
  bool open = false;
  for (std::string line; std::getline(in, line);) {
    ++number;
    line = trimmed(std::string_view(line).substr(0, std::min(line.find("//"), line.size())));
    if (open) {
      lines.back().text += ";" + line;
    } else if (!line.empty() && line[0] != '#') {
      lines.push_back({number, line});
    }
    if (lines.empty()) continue;
    const std::string& last = lines.back().text;
    open = last.find("%{") != std::string::npos && last.find("}%") == std::string::npos;
  }
  return lines;
}

Event read_event(const Line& line, const std::string& where, bool ipv6) {
  Cursor at(line.text, where);
  Event event{line.number, line.text, read_time(at), {}};
  if (at.accept("<")) {
    if (at.accept("icmp ")) {
      event.what = Inbound{read_icmp(at, ipv6)};
    } else {
      event.what = Inbound{read_segment(at)};
    }
  } else if (at.accept(">")) {
    event.what = Outbound{read_segment(at)};
  } else if (at.accept("%{")) {
    const size_t end = at.rest().find("}%");
    if (end == std::string_view::npos) at.fail("'}%' is missing");
    event.what = read_assertions(at.rest().substr(0, end), where);
  } else {
    event.what = read_call(at);
  }
  const bool timed = event.time.kind != Time::Kind::any && event.time.from == event.time.to;
  if (!timed && !std::holds_alternative<Outbound>(event.what)) at.fail("only what the stack sends may come at any time");
  return event;
}

void read_setting(const Line& line, const std::string& where, Script& script) {
  if (!script.events.empty()) throw Fault{where + ": settings stand before the first event"};
  const size_t equals = line.text.find('=');
  if (equals == std::string::npos) throw Fault{where + ": a setting is --name=value"};
  script.settings.push_back({line.number, line.text.substr(2, equals - 2), trimmed(line.text.substr(equals + 1))});
  if (script.settings.back().name == "ip_version") script.ipv6 = script.settings.back().value == "ipv6";
}

}  // namespace

Script read_script(const std::string& path, std::string_view text) {
  Script script{path, {}, false, {}, {}};
  if (!text.starts_with("// ")) throw Fault{path + ":1: a script opens with a comment: what it shows"};
  script.says = trimmed(text.substr(3, std::min(text.find('\n'), text.size()) - 3));
  for (const Line& line : lines_of(text)) {
    const std::string where = path + ":" + std::to_string(line.number);
    if (line.text.starts_with("--")) {
      read_setting(line, where, script);
    } else {
      script.events.push_back(read_event(line, where, script.ipv6));
    }
  }
  if (script.events.empty()) throw Fault{path + ":1: a script without events shows nothing"};
  return script;
}

Script read_script_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw Fault{path + ": cannot be opened"};
  std::ostringstream text;
  text << in.rdbuf();
  return read_script(path, text.str());
}

}  // namespace qstack::script
