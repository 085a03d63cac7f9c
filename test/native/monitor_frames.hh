// Frames of one connection as a monitor sees them pass, and a capture file of them.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "native/monitor/matcher.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/tcp.hh"
#include "native/wire/vlan.hh"

namespace qstack::monitor::testing {

struct FrameSpec {
  bool from_client = true;
  Seq seq = 0, ack = 0;
  std::string payload = {};
  uint8_t flags = kAck | kPsh;
  uint16_t client_port = 40'000;
  bool ipv6 = false;
  int tags = 0;
};

inline constexpr uint32_t kMonClient = 0x0a000102, kMonServer = 0x0a000001;
inline constexpr IpAddress kMonClient6{0xfd00ull << 48, 0x102}, kMonServer6{0xfd00ull << 48, 1};

inline std::vector<uint8_t> frame_of(const FrameSpec& spec) {
  const size_t ip = spec.ipv6 ? size_t{kIpv6Header} : size_t{kIpv4Header};
  const size_t begin = size_t{kEthernetHeader} + static_cast<size_t>(spec.tags) * kVlanTag;
  std::vector<uint8_t> frame(begin + ip + kTcpHeader + spec.payload.size());
  const uint16_t type = spec.ipv6 ? kEtherTypeIpv6 : kEtherTypeIpv4;
  for (int i = 0; i < spec.tags; ++i) {
    store_be16(&frame[12 + static_cast<size_t>(i) * 4], i == 0 && spec.tags == 2 ? 0x88a8 : kEtherTypeVlan);
    store_be16(&frame[14 + static_cast<size_t>(i) * 4], 5);
  }
  store_be16(&frame[begin - 2], type);
  const auto tcp_length = static_cast<uint16_t>(kTcpHeader + spec.payload.size());
  uint8_t* const l3 = &frame[begin];
  if (spec.ipv6) {
    write_ipv6(l3, spec.from_client ? kMonClient6 : kMonServer6, spec.from_client ? kMonServer6 : kMonClient6, kProtocolTcp, tcp_length);
  } else {
    write_ipv4(l3, spec.from_client ? kMonClient : kMonServer, spec.from_client ? kMonServer : kMonClient, kProtocolTcp,
               static_cast<uint16_t>(kIpv4Header + tcp_length));
  }
  const uint16_t source = spec.from_client ? spec.client_port : 80, destination = spec.from_client ? 80 : spec.client_port;
  write_tcp_header(l3 + ip, source, destination, spec.seq, spec.ack, kTcpHeader, spec.flags, 0xffff);
  std::copy(spec.payload.begin(), spec.payload.end(), frame.begin() + static_cast<long>(begin + ip + kTcpHeader));
  return frame;
}

/// A matcher that is fed frame by frame.
struct Bench {
  explicit Bench(const MatchConfig& settings = {}) : config(settings), matcher(settings, 2048) {}

  void pass(Nanos time, const FrameSpec& spec) { pass(time, frame_of(spec)); }
  void pass(Nanos time, const std::vector<uint8_t>& frame) {
    Segment segment;
    if (read_segment(frame, static_cast<uint32_t>(frame.size()), segment) != Reading::segment) return;
    segment.time = time;
    const uint8_t way = way_of(segment, config.ports);
    if (way == kNoWay) return;
    matcher.take(segment, Way{way}, hash_flow_name(flow_of(segment, Way{way}), {1, 2}), {frame.data(), segment.captured});
  }
  void request(Nanos time, Seq seq, const std::string& payload) { pass(time, {true, seq, 0, payload}); }
  void response(Nanos time, Seq seq, Seq ack, const std::string& payload) { pass(time, {false, seq, ack, payload}); }
  Tick finish() { return matcher.finish(0, 0, 1); }

  MatchConfig config;
  Matcher matcher;
};

inline uint64_t count_of(const Tick& tick, Count count) { return tick.counts[static_cast<size_t>(count)]; }

/// A pcap file with nanoseconds (the format's magic number 0xa1b23c4d).
class CaptureFile {
 public:
  explicit CaptureFile(std::FILE* file) : file_(file) {
    const uint32_t head[6] = {0xa1b23c4d, 4u << 16 | 2u, 0, 0, 65535, 1};
    std::fwrite(head, sizeof(head), 1, file_);
  }
  void add(Nanos time, const std::vector<uint8_t>& frame) {
    const auto length = static_cast<uint32_t>(frame.size());
    const uint32_t head[4] = {static_cast<uint32_t>(time / kSecond), static_cast<uint32_t>(time % kSecond), length, length};
    std::fwrite(head, sizeof(head), 1, file_);
    std::fwrite(frame.data(), frame.size(), 1, file_);
  }

 private:
  std::FILE* file_;
};

}  // namespace qstack::monitor::testing
