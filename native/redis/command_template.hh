// CommandTemplate: a Redis command with holes, prepared once, written many times without a string being made.
//
// In: arguments, each a row of parts: literal bytes, argument k of the command, the peer as "ip:port", a number. Out:
// RESP bytes: `*n`, then `$length` and bytes of each argument. Literals next to one another are joined at the start.
// Invariant: write() writes exactly the bytes that size() has said. Read first: the RESP2 specification.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace qstack::redis {

inline constexpr uint32_t kArgumentsMax = 4;

/// What fills the holes of one command.
struct Holes {
  std::span<const uint8_t> arguments[kArgumentsMax];
  std::span<const uint8_t> peer;  ///< as text, where it is not an IPv4 address
  uint32_t peer_address = 0;
  uint16_t peer_port = 0;
  uint32_t number = 0;
};

struct Part {
  enum class Kind : uint8_t { literal, argument, peer, number };
  Kind kind = Kind::literal;
  uint8_t argument = 0;  ///< which, with Kind::argument
  std::string bytes;     ///< with Kind::literal
};

using Argument = std::vector<Part>;

class CommandTemplate {
 public:
  /// `key`: index of the argument that is the key; 0 (the command's name): it has none.
  CommandTemplate(std::span<const Argument> arguments, uint32_t key);

  uint64_t size(const Holes& holes) const;
  /// Returns the key's bytes as they lie in `out`; empty without a key.
  std::span<const uint8_t> write(const Holes& holes, uint8_t* out) const;

  /// One more than the highest argument that a hole names.
  uint32_t arguments_needed() const { return arguments_needed_; }

 private:
  /// Either bytes that are ready (head and all), or an argument with holes.
  struct Piece {
    std::string ready;
    Argument parts;
    bool key = false;
  };

  static uint64_t length_of(const Argument& parts, const Holes& holes);
  void note(const Argument& parts);

  std::vector<Piece> pieces_;
  uint32_t arguments_needed_ = 0;
};

uint32_t decimal_digits(uint64_t value);
/// Writers return the place behind what they wrote.
uint8_t* write_decimal(uint8_t* at, uint64_t value);
uint8_t* write_peer(uint8_t* at, uint32_t address, uint16_t port);
uint32_t peer_length(uint32_t address, uint16_t port);

}  // namespace qstack::redis
