// Cursor: a place in one line of a script, and how to go on from there. A fault names file and line.
#pragma once

#include <charconv>
#include <cctype>
#include <string>
#include <string_view>

#include "test/script/script.hh"

namespace qstack::script {

class Cursor {
 public:
  Cursor(std::string_view rest, std::string where) : rest_(rest), where_(std::move(where)) { skip(); }

  [[noreturn]] void fail(const std::string& why) const { throw Fault{where_ + ": " + why}; }
  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool sees(std::string_view token) const { return rest_.starts_with(token); }

  bool accept(std::string_view token) {
    if (!sees(token)) return false;
    rest_.remove_prefix(token.size());
    skip();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail("'" + std::string(token) + "' is expected before '" + std::string(rest_) + "'");
  }
  /// Up to the next of `stops`, which stays.
  std::string until(std::string_view stops) {
    const size_t end = std::min(rest_.find_first_of(stops), rest_.size());
    std::string word(rest_.substr(0, end));
    rest_.remove_prefix(end);
    skip();
    while (!word.empty() && word.back() == ' ') word.pop_back();
    return word;
  }
  std::string word() { return until(" \t"); }
  uint32_t number() {
    const bool hex = sees("0x");
    if (hex) rest_.remove_prefix(2);
    uint32_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, hex ? 16 : 10);
    if (error != std::errc{}) fail("a number is expected before '" + std::string(rest_) + "'");
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    skip();
    return value;
  }
  uint32_t number_up_to(uint32_t most) {
    const uint32_t value = number();
    if (value > most) fail(std::to_string(value) + " is too large: at most " + std::to_string(most));
    return value;
  }
  int64_t signed_number() {
    const bool negative = accept("-");
    const int64_t value = number();
    return negative ? -value : value;
  }
  std::vector<uint8_t> hex_bytes() {
    std::vector<uint8_t> bytes;
    while (rest_.size() >= 2 && std::isxdigit(static_cast<unsigned char>(rest_[0])) != 0) {
      uint8_t byte = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + 2, byte, 16);
      if (error != std::errc{} || end != rest_.data() + 2) fail("bytes are pairs of hex digits");
      bytes.push_back(byte);
      rest_.remove_prefix(2);
    }
    skip();
    return bytes;
  }
  /// Seconds with a fraction, as nanoseconds.
  Nanos seconds() {
    Nanos value = sees(".") ? 0 : Nanos{number_unskipped()} * 1'000'000'000;
    if (sees(".")) {
      rest_.remove_prefix(1);
      Nanos scale = 100'000'000;
      while (std::isdigit(static_cast<unsigned char>(peek())) != 0) {
        value += scale * static_cast<Nanos>(peek() - '0');
        scale /= 10;
        rest_.remove_prefix(1);
      }
    }
    skip();
    return value;
  }

 private:
  void skip() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
  }
  uint32_t number_unskipped() {
    uint32_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{}) fail("a time is expected before '" + std::string(rest_) + "'");
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }

  std::string_view rest_;
  std::string where_;
};

}  // namespace qstack::script
