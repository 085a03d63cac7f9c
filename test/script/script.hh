// Script: what a packet script says. reader.hh makes one of a text, runner.hh plays it, notation.hh writes its segments.
//
// Numbers are the script's: sequence numbers of the stack under test count from its SYN, those of the peer are as written;
// times are nanoseconds. Nothing here knows the wire.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "native/tcp/app.hh"
#include "native/wire/tcp.hh"

namespace qstack::script {

/// A script that cannot be read, or does not come true. `what` begins with file:line.
struct Fault {
  std::string what;
};

inline constexpr uint8_t kOptionEnd = 0, kOptionNop = 1, kOptionMss = 2, kOptionWindowScale = 3, kOptionSackPermitted = 4,
                         kOptionSack = 5, kOptionTimestamps = 8, kOptionRaw = 0xff;

/// One TCP option: its numbers are the MSS, the shift, TSval and TSecr, or the edges of SACK blocks.
struct Option {
  uint8_t kind = kOptionNop;
  std::vector<uint32_t> numbers{};
  std::vector<uint8_t> raw{};  ///< of kOptionRaw: kind and length included
  friend bool operator==(const Option&, const Option&) = default;
};

/// What stands in the IP header, and what is wrong on purpose. Of an expected segment: only what is given is compared.
struct IpFields {
  std::optional<uint8_t> ecn{};
  std::optional<uint8_t> tos{};  ///< all eight bits
  std::optional<uint8_t> ttl{};
  std::optional<Endpoint> to{};  ///< another destination than the stack's address; port 0: the usual one
  std::vector<uint8_t> options{};
  bool damaged = false;          ///< the TCP checksum is wrong
  bool reserved = false;         ///< the reserved bits of the TCP header are set
};

struct Segment {
  std::optional<Endpoint> peer{};  ///< absent: the default one
  IpFields ip{};
  uint8_t flags = 0;
  Seq seq = 0;
  uint32_t length = 0;
  Seq ack = 0;
  std::optional<uint16_t> window{};
  std::optional<uint16_t> urgent{};
  bool any_options = false;
  std::vector<Option> options{};
};

/// An ICMP error about a segment that the stack has sent.
struct Icmp {
  std::optional<Endpoint> peer{};
  uint8_t type = 0, code = 0;
  uint32_t mtu = 0;
  Seq seq = 0;
  uint32_t length = 0;
};

struct Inbound {
  std::variant<Segment, Icmp> what;
};
struct Outbound {
  Segment segment;
};
struct Call {
  std::string name;
  std::vector<std::string> arguments;
  int64_t result = 0;
  std::string error{};  ///< name of an errno; empty: any
};
struct Comparison {
  std::string name, relation;
  int64_t value = 0;
};
struct Assertions {
  std::vector<Comparison> all;
};

struct Time {
  enum class Kind : uint8_t { absolute, relative, any };
  Kind kind = Kind::relative;
  Nanos from = 0, to = 0;
};

struct Event {
  uint32_t line = 0;
  std::string text{};
  Time time{};
  std::variant<Inbound, Outbound, Call, Assertions> what;
};

struct Setting {
  uint32_t line;
  std::string name, value;
};

struct Script {
  std::string path;
  std::string says;  ///< the comment that opens it
  bool ipv6 = false;
  std::vector<Setting> settings;
  std::vector<Event> events;
};

}  // namespace qstack::script
