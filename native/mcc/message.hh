// Messages as bytes. A builder writes one message; which level a message has is decided before, by LevelChoice.
//
//   byte 0..3  counter, u32 LE: names the message uniquely on its connection
//        4     0                       6  0x02: from the client
//        5     1 request, 0 heartbeat  7  0
//        8     8 in a heartbeat, else 0
//        9     left over from think time (MCC writes the result of its busy loop there)
//        10 …  zeros
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace qstack::mcc {

inline constexpr uint8_t kLevels = 2;  ///< 0: request (high), 1: heartbeat
inline constexpr uint16_t kMessageMin = 10;

class MessageBuilder {
 public:
  virtual ~MessageBuilder() = default;
  virtual uint16_t length() const = 0;
  /// Writes length() bytes to `at`. `junk` makes the work of think time visible.
  virtual void write(uint8_t* at, uint32_t counter, uint8_t level, uint8_t junk) const = 0;
};

class IotMessage final : public MessageBuilder {
 public:
  explicit IotMessage(uint16_t length);
  uint16_t length() const override { return static_cast<uint16_t>(templates_[0].size()); }
  void write(uint8_t* at, uint32_t counter, uint8_t level, uint8_t junk) const override;

 private:
  std::array<std::vector<uint8_t>, kLevels> templates_;
};

/// Which messages are requests: per connection for good (MCC's flow level), or drawn anew for each message.
class LevelChoice {
 public:
  LevelChoice(uint64_t seed, double request_ratio, bool per_message);
  uint8_t level(uint32_t connection, uint32_t counter) const;

 private:
  uint64_t seed_;
  uint64_t threshold_;  ///< of 2^32
  bool per_message_;
};

}  // namespace qstack::mcc
