#include "native/mcc/message.hh"

#include <algorithm>
#include <cstring>

#include "native/mcc/seed.hh"

namespace qstack::mcc {

uint16_t counter_width(CounterForm form) { return form == CounterForm::hexadecimal ? 8 : 4; }

void write_counter(uint8_t* at, CounterForm form, uint32_t counter) {
  const bool hexadecimal = form == CounterForm::hexadecimal;
  const int width = hexadecimal ? 8 : 4, bits = hexadecimal ? 4 : 8;
  for (int i = 0; i < width; ++i) {
    const int place = form == CounterForm::little_endian ? i : width - 1 - i;
    const auto value = static_cast<uint8_t>(counter >> (bits * place) & ((1u << bits) - 1));
    at[i] = hexadecimal ? static_cast<uint8_t>("0123456789abcdef"[value]) : value;
  }
}

bool read_counter(const uint8_t* at, CounterForm form, uint32_t& counter) {
  counter = 0;
  for (int i = 0; i < counter_width(form); ++i) {
    if (form == CounterForm::hexadecimal) {
      const auto lower = static_cast<uint8_t>(at[i] | 0x20);
      const bool letter = lower >= 'a' && lower <= 'f';
      if (!letter && !(at[i] >= '0' && at[i] <= '9')) return false;
      counter = counter << 4 | static_cast<uint32_t>(letter ? lower - 'a' + 10 : at[i] - '0');
    } else {
      counter |= static_cast<uint32_t>(at[form == CounterForm::little_endian ? i : 3 - i]) << (8 * i);
    }
  }
  return true;
}

bool MessageBuilder::counts() const {
  const MessageTemplate& first = templates_.front();
  return first.counter_at != kNowhere && std::ranges::all_of(templates_, [&](const MessageTemplate& message) {
           return message.counter_at == first.counter_at && message.counter_form == first.counter_form;
         });
}

void MessageBuilder::write(uint8_t* at, uint16_t length, uint32_t counter, uint8_t level, uint8_t junk) const {
  const MessageTemplate& message = templates_[level];
  const size_t known = std::min<size_t>(length, message.bytes.size());
  std::memcpy(at, message.bytes.data(), known);
  std::memset(at + known, 0, length - known);
  if (message.counter_at != kNowhere) write_counter(at + message.counter_at, message.counter_form, counter);
  if (message.junk_at != kNowhere) at[message.junk_at] = junk;
}

namespace {

std::vector<MessageTemplate> iot_templates(uint16_t length, uint8_t levels) {
  std::vector<MessageTemplate> templates(levels);
  for (uint8_t level = 0; level < levels; ++level) {
    MessageTemplate& message = templates[level];
    message.bytes.assign(std::max(length, kMessageMin), 0);
    message.bytes[5] = level == levels - 1 && level > 0 ? 0 : static_cast<uint8_t>(level + 1);
    message.bytes[6] = 2;
    message.bytes[8] = level == 0 ? 0 : 8;
    message.counter_at = 0;
    message.junk_at = 9;
  }
  return templates;
}

}  // namespace

IotMessage::IotMessage(uint16_t length, uint8_t levels) : MessageBuilder(iot_templates(length, levels)) {}

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
