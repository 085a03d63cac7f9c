#include "native/bench/arguments.hh"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace qstack::bench {

Arguments::Arguments(int count, char** words) {
  for (int i = 0; i < count; ++i) {
    const std::string word = words[i];
    const size_t equals = word.find('=');
    if (equals == std::string::npos) throw std::invalid_argument("\"" + word + "\": name=value is expected");
    values_[word.substr(0, equals)] = word.substr(equals + 1);
  }
}

std::string Arguments::text(const std::string& name) {
  read_.insert(name);
  const auto found = values_.find(name);
  if (found == values_.end()) throw std::invalid_argument(name + "=… is missing");
  return found->second;
}

std::string Arguments::text(const std::string& name, const std::string& fallback) {
  return has(name) ? text(name) : fallback;
}

uint64_t Arguments::number(const std::string& name, uint64_t fallback) {
  if (!has(name)) return fallback;
  const std::string value = text(name);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc{} && end == value.data() + value.size()) return number;
  throw std::invalid_argument(name + "=" + value + ": a whole number is expected");
}

uint32_t Arguments::address(const std::string& name) {
  const std::string value = text(name);
  in_addr address{};
  if (inet_pton(AF_INET, value.c_str(), &address) == 1) return ntohl(address.s_addr);
  throw std::invalid_argument(name + "=" + value + ": an IPv4 address is expected");
}

void Arguments::check_all_read() const {
  const auto unread =
      std::find_if(values_.begin(), values_.end(), [&](const auto& entry) { return !read_.contains(entry.first); });
  if (unread != values_.end()) throw std::invalid_argument(unread->first + "=" + unread->second + ": nothing reads it");
}

}  // namespace qstack::bench
