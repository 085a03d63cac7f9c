// Redirect: what a server of a Redis Cluster answers when a key's slot is another's, or on its way there, or nobody's.
//
// In: the text of an error reply. Out: the slot and who has it, or nothing where the error is another one; whether it passes by. Invariant: the
// host lies within the text; an empty one means that of the server which says it. Read first: the Redis Cluster
// specification, "MOVED redirection", "ASK redirection" and "Multiple keys operations".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace qstack::redis {

struct Redirect {
  bool ask = false;  ///< for this command alone; else the slot has moved for good
  uint16_t slot = 0;
  std::string_view host;
  uint16_t port = 0;
};

/// `TRYAGAIN …` while the keys of a command are on two servers, `CLUSTERDOWN …` while nobody has its slot: nothing was carried
/// out, and the same command has another answer soon.
bool passes_by(std::span<const uint8_t> error);

/// `MOVED 3999 127.0.0.1:6381`, `ASK 3999 ::1:6381`.
std::optional<Redirect> parse_redirect(std::span<const uint8_t> error);

}  // namespace qstack::redis
