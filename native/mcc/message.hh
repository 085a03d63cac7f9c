// Messages as bytes. A builder fills in one message of a template; which level it has is decided before, by LevelChoice.
//
// MCC's, which is the default; others are made in tools/mcc/message-options.ts:
//   byte 0..3  counter, u32 LE: names the message uniquely on its connection
//        4     0                       6  0x02: from the client
//        5     1 request (level 0), 0 heartbeat (the last level); of those between their number and one: 2, 3 …
//        7     0                       8  0 in a request, else 8
//        9     left over from think time (MCC writes the result of its busy loop there)
//        10 …  zeros
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace qstack::mcc {

inline constexpr uint8_t kLevels = 8;  ///< places for levels: at most so many. 0 is the highest: requests
inline constexpr uint16_t kMessageMin = 10;

inline constexpr uint16_t kNowhere = 0xffff;

/// How the counter stands in a message.
enum class CounterForm : uint8_t { little_endian = 0, big_endian = 1, hexadecimal = 2 };

/// The messages of one level: bytes, and the places that are filled in.
struct MessageTemplate {
  std::vector<uint8_t> bytes;       ///< at least one, at most a segment
  uint16_t counter_at = kNowhere;   ///< 4 bytes, or 8 digits
  CounterForm counter_form = CounterForm::little_endian;
  uint16_t junk_at = kNowhere;      ///< one byte that makes the work of think time visible
};

uint16_t counter_width(CounterForm form);
void write_counter(uint8_t* at, CounterForm form, uint32_t counter);
/// False where the digits are none.
bool read_counter(const uint8_t* at, CounterForm form, uint32_t& counter);

class MessageBuilder {
 public:
  /// One template per level.
  explicit MessageBuilder(std::vector<MessageTemplate> templates) : templates_(std::move(templates)) {}

  const MessageTemplate& of(uint8_t level) const { return templates_[level]; }
  /// All messages have a counter, at the same place.
  bool counts() const;
  uint16_t length(uint8_t level) const { return static_cast<uint16_t>(templates_[level].bytes.size()); }
  /// Writes a message of the template's own length.
  void write(uint8_t* at, uint32_t counter, uint8_t level, uint8_t junk) const {
    write(at, length(level), counter, level, junk);
  }
  /// Writes `length` bytes, which hold all places to fill in: the template cut off, or zeros behind it.
  void write(uint8_t* at, uint16_t length, uint32_t counter, uint8_t level, uint8_t junk) const;

 private:
  std::vector<MessageTemplate> templates_;
};

class IotMessage final : public MessageBuilder {
 public:
  explicit IotMessage(uint16_t length, uint8_t levels = 2);
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
