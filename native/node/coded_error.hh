// CodedError: a fault of a control call, with the `code` that JavaScript compares.
#pragma once

#include <stdexcept>
#include <string>

namespace qstack::node {

class CodedError : public std::runtime_error {
 public:
  CodedError(std::string code, const std::string& sentence) : std::runtime_error(sentence), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

}  // namespace qstack::node
