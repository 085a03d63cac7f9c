#include "native/node/mcc_forms.hh"

#include <algorithm>
#include <utility>

namespace qstack::node {

namespace {

mcc::CounterForm read_counter_form(const OptionReader& options) {
  const std::string form = options.text("counterForm", "le");
  if (form == "be") return mcc::CounterForm::big_endian;
  if (form == "hex") return mcc::CounterForm::hexadecimal;
  if (form != "le") options.fail("counterForm", "le, be or hex is expected");
  return mcc::CounterForm::little_endian;
}

mcc::MessageTemplate read_message(const OptionReader& options) {
  constexpr size_t kSegment = 1448;
  const Napi::Value bytes = options.value("bytes");
  const size_t length = bytes.IsTypedArray() ? bytes.As<Napi::Uint8Array>().ElementLength() : 0;
  if (length < 1 || length > kSegment) options.fail("bytes", "1 to 1448 bytes are expected");
  mcc::MessageTemplate message;
  const uint8_t* const data = bytes.As<Napi::Uint8Array>().Data();
  message.bytes.assign(data, data + length);
  message.counter_form = read_counter_form(options);
  message.counter_at = options.u16("counterAt", mcc::kNowhere);
  const uint32_t end = uint32_t{message.counter_at} + mcc::counter_width(message.counter_form);
  if (message.counter_at != mcc::kNowhere && end > length) options.fail("counterAt", "a place inside of the message is expected");
  return message;
}

template <typename Value>
std::vector<Value> read_numbers(const OptionReader& options, const char* name, double most) {
  std::vector<Value> values;
  if (!options.has(name)) return values;
  if (!options.value(name).IsTypedArray()) options.fail(name, "a Float64Array is expected");
  const auto numbers = options.value(name).As<Napi::Float64Array>();
  for (size_t i = 0; i < numbers.ElementLength(); ++i) {
    if (!(numbers[i] >= 0 && numbers[i] <= most)) options.fail(name, "a number that is negative or too large");
    values.push_back(static_cast<Value>(numbers[i]));
  }
  return values;
}

}  // namespace

std::vector<double> read_shares(const OptionReader& options) {
  const Napi::Value value = options.value("levelShares");
  const uint32_t count = value.IsArray() ? value.As<Napi::Array>().Length() : 0;
  if (count < 1 || count > mcc::kLevels) options.fail("levelShares", "1 to 8 numbers are expected");
  std::vector<double> shares;
  for (uint32_t i = 0; i < count; ++i) shares.push_back(value.As<Napi::Array>().Get(i).ToNumber().DoubleValue());
  return shares;
}

std::vector<mcc::MessageTemplate> read_messages(const OptionReader& options, size_t levels) {
  std::vector<mcc::MessageTemplate> messages;
  if (!options.has("templates")) return messages;
  const auto list = options.value("templates").As<Napi::Array>();
  if (list.Length() != levels) options.fail("templates", "one for each level is expected");
  for (uint32_t i = 0; i < list.Length(); ++i) messages.push_back(read_message(OptionReader(list.Get(i), "createMcc.templates")));
  return messages;
}

mcc::ReplyFormat read_reply(const OptionReader& options) {
  mcc::ReplyFormat format;
  const std::string kind = options.text("kind", "");
  if (kind == "echo") format.kind = mcc::ReplyKind::echo;
  else if (kind == "fixed") format.kind = mcc::ReplyKind::fixed;
  else if (kind == "http") format.kind = mcc::ReplyKind::http;
  else if (kind == "lengthPrefix") format.kind = mcc::ReplyKind::length_prefix;
  else if (kind != "auto") options.fail("kind", "auto, http, echo, fixed or lengthPrefix is expected");
  format.length = options.u32("length", 1, 1, 1u << 30);
  format.offset = options.u16("offset", 0, 0, 255);
  format.width = static_cast<uint8_t>(options.u32("width", 2, 1, 4));
  format.little_endian = options.boolean("littleEndian", false);
  format.adjust = options.has("adjust") ? options.value("adjust").ToNumber().Int32Value() : 0;
  return format;
}

std::shared_ptr<const mcc::Trace> read_trace(const OptionReader& options) {
  constexpr double kSafe = 9007199254740991.0;
  auto trace = std::make_shared<mcc::Trace>();
  trace->times = read_numbers<Nanos>(options, "times", kSafe);
  trace->lengths = read_numbers<uint16_t>(options, "lengths", 1448);
  trace->flows = read_numbers<uint32_t>(options, "flows", UINT32_MAX);
  const size_t messages = trace->times.size();
  if (!std::ranges::is_sorted(trace->times)) options.fail("times", "ascending times are expected");
  trace->cycle = options.required("cycleNs", 1, uint64_t{1} << 53);
  if (messages > 0 && trace->cycle <= trace->times.back()) options.fail("cycleNs", "more than the last of the times is expected");
  const auto fits = [&](size_t count) { return count == 0 || count == messages; };
  if (!fits(trace->lengths.size()) || !fits(trace->flows.size())) options.fail("lengths", "one for each time is expected");
  const auto too_short = [](uint16_t length) { return length != 0 && length < mcc::kMessageMin; };
  if (std::ranges::any_of(trace->lengths, too_short)) options.fail("lengths", "10 bytes or more are expected");
  return trace;
}

}  // namespace qstack::node
