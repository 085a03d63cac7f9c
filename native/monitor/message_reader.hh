// MessageReader: what the bytes of a message say: whether it is one, which level it has, which counter it carries.
//
// In: the first bytes of a message as far as they were captured. Out: answers; what is not there is unknown, never read.
#pragma once

#include <optional>
#include <span>

#include "native/monitor/config.hh"
#include "native/monitor/segment.hh"

namespace qstack::monitor {

enum class Way : uint8_t { request, response };

class MessageReader {
 public:
  explicit MessageReader(const MatchConfig& config);

  /// A message begins here, as far as a label or the protocol says. `length`: of the segment's payload from here on.
  bool begins(Way way, Bytes message, uint32_t length) const;
  /// HCMonitor's label has another value, or is not there: counted.
  bool labelled(Way way, Bytes message) const;
  /// `frame` is the one in which the message begins. By a rule on the frame, by a byte, or by `length` of the message.
  uint8_t level(Bytes message, uint32_t length, const Segment& segment, Bytes frame);
  std::optional<uint32_t> counter(Way way, Bytes message) const;

 private:
  uint8_t level_by_byte(Bytes message) const;
  uint8_t level_by_rules(const Segment& segment, Bytes frame);

  const MatchConfig& config_;
  std::vector<uint8_t> scratch_;  ///< a frame as long as it was on the wire
};

}  // namespace qstack::monitor
