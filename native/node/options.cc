#include "native/node/options.hh"

#include <arpa/inet.h>

#include <cmath>
#include <cstdio>

namespace qstack::node {

OptionReader::OptionReader(const Napi::Value& value, std::string path) : path_(std::move(path)) {
  if (!value.IsObject()) throw CodedError("QST_ERR_NATIVE_OPTION", path_ + ": an object is expected");
  object_ = value.As<Napi::Object>();
}

void OptionReader::fail(const char* name, const std::string& why) const {
  throw CodedError("QST_ERR_NATIVE_OPTION", path_ + ": " + name + ": " + why);
}

bool OptionReader::has(const char* name) const {
  const Napi::Value value = object_.Get(name);
  return !value.IsUndefined() && !value.IsNull();
}

uint64_t OptionReader::required(const char* name, uint64_t min, uint64_t max) const {
  const Napi::Value value = object_.Get(name);
  const std::string range = "an integer from " + std::to_string(min) + " to " + std::to_string(max) + " is expected";
  if (!value.IsNumber()) fail(name, range);
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max)) || number != std::floor(number)) {
    fail(name, std::to_string(number) + ", but " + range);
  }
  return static_cast<uint64_t>(number);
}

uint64_t OptionReader::integer(const char* name, uint64_t fallback, uint64_t min, uint64_t max) const {
  return has(name) ? required(name, min, max) : fallback;
}

double OptionReader::probability(const char* name) const {
  if (!has(name)) return 0;
  const Napi::Value value = object_.Get(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= 1)) fail(name, "a probability from 0 to 1 is expected");
  return number;
}

bool OptionReader::boolean(const char* name, bool fallback) const {
  if (!has(name)) return fallback;
  const Napi::Value value = object_.Get(name);
  if (!value.IsBoolean()) fail(name, "true or false is expected");
  return value.As<Napi::Boolean>().Value();
}

std::string OptionReader::text(const char* name, const std::string& fallback) const {
  if (!has(name)) return fallback;
  const Napi::Value value = object_.Get(name);
  if (!value.IsString()) fail(name, "a string is expected");
  return value.As<Napi::String>().Utf8Value();
}

MacAddress OptionReader::mac(const char* name, const MacAddress& fallback) const {
  return has(name) ? parse_mac(text(name, "")) : fallback;
}

IpAddress OptionReader::address(const char* name) const {
  if (!has(name)) return {};
  if (!object_.Get(name).IsString()) return u32(name, 0);
  const std::string written = text(name, "");
  uint8_t bytes[16];
  if (inet_pton(AF_INET6, written.c_str(), bytes) != 1) fail(name, "\"" + written + "\" is no IPv6 address");
  return load_ipv6(bytes);
}

OptionReader OptionReader::object(const char* name) const { return {object_.Get(name), path_ + ": " + name}; }

MacAddress parse_mac(const std::string& text) {
  unsigned bytes[6];
  int end = 0;
  const int fields = sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%n", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
                            &bytes[4], &bytes[5], &end);
  if (fields != 6 || static_cast<size_t>(end) != text.size() || text.size() != 17) {
    throw CodedError("QST_ERR_NATIVE_OPTION", "\"" + text + "\" is no MAC address like 02:00:00:00:00:01");
  }
  MacAddress mac;
  for (size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<uint8_t>(bytes[i]);
  return mac;
}

}  // namespace qstack::node
