// OptionReader: reads one object of options that JavaScript gave, each value with its accepted range.
//
// In: a JavaScript object and the name of the call. Out: numbers, or a CodedError QST_ERR_NATIVE_OPTION that names
// call, option, value and range. TypeScript has checked most of it before; this is the last check, so that no value
// reaches the core unseen.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

#include "native/node/coded_error.hh"
#include "native/wire/ip_address.hh"
#include "native/wire/mac.hh"

namespace qstack::node {

class OptionReader {
 public:
  OptionReader(const Napi::Value& value, std::string path);

  bool has(const char* name) const;
  /// An integer; `fallback` when absent.
  uint64_t integer(const char* name, uint64_t fallback, uint64_t min, uint64_t max) const;
  uint32_t u32(const char* name, uint32_t fallback, uint32_t min = 0, uint32_t max = UINT32_MAX) const {
    return static_cast<uint32_t>(integer(name, fallback, min, max));
  }
  uint16_t u16(const char* name, uint16_t fallback, uint16_t min = 0, uint16_t max = UINT16_MAX) const {
    return static_cast<uint16_t>(integer(name, fallback, min, max));
  }
  /// An integer that must be there.
  uint64_t required(const char* name, uint64_t min, uint64_t max) const;
  double probability(const char* name) const;
  bool boolean(const char* name, bool fallback) const;
  std::string text(const char* name, const std::string& fallback) const;
  /// IPv4 as a number in host order, IPv6 as text; `::` when absent.
  IpAddress address(const char* name) const;
  MacAddress mac(const char* name, const MacAddress& fallback) const;
  OptionReader object(const char* name) const;
  Napi::Value value(const char* name) const { return object_.Get(name); }

  [[noreturn]] void fail(const char* name, const std::string& why) const;

 private:
  Napi::Object object_;
  std::string path_;
};

/// "02:00:00:00:00:01"; throws CodedError.
MacAddress parse_mac(const std::string& text);

}  // namespace qstack::node
