// Arguments: `name=value` words of a command line, each read once with its default.
//
// In: argv behind the command. Out: values; std::invalid_argument with a sentence for what cannot be read, and, by
// check_all_read(), for a name that nobody asked for.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace qstack::bench {

class Arguments {
 public:
  Arguments(int count, char** words);

  bool has(const std::string& name) const { return values_.contains(name); }
  std::string text(const std::string& name);
  std::string text(const std::string& name, const std::string& fallback);
  uint64_t number(const std::string& name, uint64_t fallback);
  /// a.b.c.d, in host order.
  uint32_t address(const std::string& name);
  void check_all_read() const;

 private:
  std::map<std::string, std::string> values_;
  std::set<std::string> read_;
};

}  // namespace qstack::bench
