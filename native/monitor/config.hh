// MonitorConfig: what counts as a request, a response and a level, and how much of them is kept.
#pragma once

#include <string>
#include <vector>

#include "native/classify/classifier.hh"
#include "native/tcp/length_prefix.hh"

namespace qstack::monitor {

/// Where messages begin.
enum class Framing : uint8_t {
  segment,        ///< with each segment, but for one that goes on where the last had no PSH
  fixed,          ///< every so many bytes
  length_prefix,  ///< each says how long it is
  http,           ///< where a segment begins with a method or a status line
  https,          ///< with each segment of TLS application data
};

/// One byte of a message says which direction it has: HCMonitor's labels. Others are passed over.
struct Labels {
  bool enabled = false;
  uint16_t offset = 0;
  std::vector<uint8_t> request, response;
};

enum class LevelBy : uint8_t {
  none,    ///< one level
  byte,    ///< a byte of the message: the level whose value it has, else the last
  length,  ///< a message of more than so many bytes has level 0, others level 1
  rules,   ///< a classifier, asked with the frame in which the message begins
};

struct LevelRule {
  LevelBy by = LevelBy::none;
  uint16_t offset = 0;
  std::vector<uint8_t> values{1};  ///< of all levels but the last
  uint32_t length = 0;
  bool of_response = false;  ///< the response's byte or length decides
  uint8_t levels = 1;
};

struct MatchConfig {
  std::vector<uint16_t> ports{80};  ///< of servers: they tell requests from responses
  Framing framing = Framing::segment;
  uint32_t fixed_length = 0;
  LengthPrefix prefix;
  Labels labels;
  LevelRule level;
  Classifier rules;
  bool iot = false;               ///< requests and responses carry the generator's counter (native/mcc/message.hh, reply.hh)
  bool first_level_only = false;  ///< messages of lower levels get no answer
  bool bursts = false;            ///< requests are counted by client and 5 ms
  uint32_t connections = 1u << 16;   ///< entries of a table
  uint32_t outstanding = 1u << 17;   ///< requests without a response, of all its connections
  Nanos idle = 60 * kSecond;         ///< an entry of which nothing was seen for so long goes
  Nanos tail_over = 0;               ///< the frames of a connection are kept when a response took longer; 0: never
  Nanos tail_span = 2 * kSecond;     ///< as far back as frames are looked for
  uint32_t tail_frames = 1u << 14;   ///< frames in the ring that they are taken from
};

struct MonitorConfig {
  MatchConfig match;
  uint32_t shards = 1;
  uint32_t snapshot = 320;        ///< bytes of a frame that are looked at
  uint32_t ring = 1u << 13;       ///< frames between the capture and each shard
  Nanos tick = kSecond;           ///< results are handed over so often, in the time of the capture
  uint32_t ticks_per_interval = 60;  ///< a connection is counted once an interval
};

}  // namespace qstack::monitor
