// Messages as bytes. A builder writes one message; which level a message has is decided before, by LevelChoice.
//
//   byte 0..3  counter, u32 LE: names the message uniquely on its connection
//        4     0                       6  0x02: from the client
//        5     1 request (level 0), 0 heartbeat (the last level); of those between their number and one: 2, 3 …
//        7     0                       8  0 in a request, else 8
//        9     left over from think time (MCC writes the result of its busy loop there)
//        10 …  zeros
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace qstack::mcc {

inline constexpr uint8_t kLevels = 8;  ///< places for levels: at most so many. 0 is the highest: requests
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
  explicit IotMessage(uint16_t length, uint8_t levels = 2);
  uint16_t length() const override { return static_cast<uint16_t>(templates_[0].size()); }
  void write(uint8_t* at, uint32_t counter, uint8_t level, uint8_t junk) const override;

 private:
  std::vector<std::vector<uint8_t>> templates_;  ///< by level
};

/// Which level a message has: drawn per connection for good (MCC's flow level), or anew for each message.
class LevelChoice {
 public:
  /// `shares` of the levels, highest first: 1 to kLevels of them, which add up to 1; what is left is the last level's.
  LevelChoice(uint64_t seed, std::span<const double> shares, bool per_message);
  uint8_t level(uint32_t connection, uint32_t counter) const;

 private:
  uint64_t seed_;
  std::vector<uint64_t> ends_;  ///< of 2^32: level i has the draws below its end; the last level the rest
  bool per_message_;
};

}  // namespace qstack::mcc
