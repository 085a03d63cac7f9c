// Frames of a capture file (pcap, pcapng), read by libpcap: what `qstack classify --explain` looks at.
//
// In: a path. Out: its frames, in order, or one sentence that says what is wrong with it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace qstack {

struct CapturedFrame {
  std::vector<uint8_t> bytes;  ///< as much of it as was captured
  uint32_t length;             ///< of the frame on the wire
  int64_t seconds;
  uint32_t microseconds;
};

/// At most `frames_max` frames. Captures of other links than Ethernet are refused.
std::variant<std::vector<CapturedFrame>, std::string> read_capture(const std::string& path, uint32_t frames_max);

}  // namespace qstack
