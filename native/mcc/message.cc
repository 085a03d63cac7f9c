#include "native/mcc/message.hh"

#include <algorithm>
#include <cstring>

#include "native/mcc/seed.hh"

namespace qstack::mcc {

IotMessage::IotMessage(uint16_t length, uint8_t levels) : templates_(levels) {
  for (uint8_t level = 0; level < levels; ++level) {
    std::vector<uint8_t>& bytes = templates_[level];
    bytes.assign(std::max(length, kMessageMin), 0);
    bytes[5] = level == levels - 1 && level > 0 ? 0 : static_cast<uint8_t>(level + 1);
    bytes[6] = 2;
    bytes[8] = level == 0 ? 0 : 8;
  }
}

void IotMessage::write(uint8_t* at, uint32_t counter, uint8_t level, uint8_t junk) const {
  const std::vector<uint8_t>& bytes = templates_[level];
  std::memcpy(at, bytes.data(), bytes.size());
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(counter >> (8 * i));
  at[9] = junk;
}

LevelChoice::LevelChoice(uint64_t seed, std::span<const double> shares, bool per_message)
    : seed_(seed), per_message_(per_message) {
  double sum = 0;
  for (size_t level = 0; level + 1 < shares.size(); ++level) {
    sum += shares[level];
    ends_.push_back(static_cast<uint64_t>(std::clamp(sum, 0.0, 1.0) * 4294967296.0));
  }
}

uint8_t LevelChoice::level(uint32_t connection, uint32_t counter) const {
  uint64_t drawn = mix(seed_, connection, per_message_ ? counter : 0) >> 32;
  uint8_t level = 0;
  while (level < ends_.size() && drawn >= ends_[level]) ++level;
  return level;
}

}  // namespace qstack::mcc
