#include "native/redis/command_template.hh"

#include <algorithm>
#include <cstring>

namespace qstack::redis {
namespace {

bool is_literal(const Argument& argument) {
  return std::all_of(argument.begin(), argument.end(),
                     [](const Part& part) { return part.kind == Part::Kind::literal; });
}

uint64_t part_length(const Part& part, const Holes& holes) {
  switch (part.kind) {
    case Part::Kind::literal:
      return part.bytes.size();
    case Part::Kind::argument:
      return holes.arguments[part.argument].size();
    case Part::Kind::peer:
      return holes.peer.empty() ? peer_length(holes.peer_address, holes.peer_port) : holes.peer.size();
    case Part::Kind::number:
      return decimal_digits(holes.number);
  }
  return 0;
}

uint8_t* write_bytes(uint8_t* at, const void* bytes, size_t length) {
  if (length != 0) std::memcpy(at, bytes, length);
  return at + length;
}

uint8_t* write_part(uint8_t* at, const Part& part, const Holes& holes) {
  switch (part.kind) {
    case Part::Kind::literal:
      return write_bytes(at, part.bytes.data(), part.bytes.size());
    case Part::Kind::argument:
      return write_bytes(at, holes.arguments[part.argument].data(), holes.arguments[part.argument].size());
    case Part::Kind::peer:
      return holes.peer.empty() ? write_peer(at, holes.peer_address, holes.peer_port)
                                : write_bytes(at, holes.peer.data(), holes.peer.size());
    case Part::Kind::number:
      return write_decimal(at, holes.number);
  }
  return at;
}

uint8_t* write_head(uint8_t* at, uint64_t length) {
  *at++ = '$';
  at = write_decimal(at, length);
  return write_bytes(at, "\r\n", 2);
}

uint32_t head_length(uint64_t length) { return 1 + decimal_digits(length) + 2; }

std::string ready_argument(const Argument& argument) {
  std::string bytes;
  for (const Part& part : argument) bytes += part.bytes;
  return "$" + std::to_string(bytes.size()) + "\r\n" + bytes + "\r\n";
}

}  // namespace

uint32_t decimal_digits(uint64_t value) {
  uint32_t digits = 1;
  for (; value >= 10; value /= 10) ++digits;
  return digits;
}

uint8_t* write_decimal(uint8_t* at, uint64_t value) {
  uint8_t* const end = at + decimal_digits(value);
  uint8_t* digit = end;
  do {
    *--digit = static_cast<uint8_t>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return end;
}

uint32_t peer_length(uint32_t address, uint16_t port) {
  uint32_t length = 4 + decimal_digits(port);
  for (int shift = 24; shift >= 0; shift -= 8) length += decimal_digits((address >> shift) & 0xff);
  return length;
}

uint8_t* write_peer(uint8_t* at, uint32_t address, uint16_t port) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    at = write_decimal(at, (address >> shift) & 0xff);
    *at++ = shift != 0 ? '.' : ':';
  }
  return write_decimal(at, port);
}

CommandTemplate::CommandTemplate(std::span<const Argument> arguments, uint32_t key) {
  std::string ready = "*" + std::to_string(arguments.size()) + "\r\n";
  for (uint32_t i = 0; i < arguments.size(); ++i) {
    note(arguments[i]);
    const bool is_key = key != 0 && i == key;
    if (is_literal(arguments[i]) && !is_key) {
      ready += ready_argument(arguments[i]);
      continue;
    }
    if (!ready.empty()) pieces_.push_back({std::move(ready), {}, false});
    ready.clear();
    pieces_.push_back({{}, arguments[i], is_key});
  }
  if (!ready.empty()) pieces_.push_back({std::move(ready), {}, false});
}

void CommandTemplate::note(const Argument& parts) {
  for (const Part& part : parts) {
    if (part.kind == Part::Kind::argument) arguments_needed_ = std::max(arguments_needed_, part.argument + 1u);
  }
}

uint64_t CommandTemplate::length_of(const Argument& parts, const Holes& holes) {
  uint64_t length = 0;
  for (const Part& part : parts) length += part_length(part, holes);
  return length;
}

uint64_t CommandTemplate::size(const Holes& holes) const {
  uint64_t size = 0;
  for (const Piece& piece : pieces_) {
    size += piece.ready.size();
    if (!piece.ready.empty()) continue;
    const uint64_t length = length_of(piece.parts, holes);
    size += head_length(length) + length + 2;
  }
  return size;
}

std::span<const uint8_t> CommandTemplate::write(const Holes& holes, uint8_t* out) const {
  std::span<const uint8_t> key;
  for (const Piece& piece : pieces_) {
    if (!piece.ready.empty()) {
      out = write_bytes(out, piece.ready.data(), piece.ready.size());
      continue;
    }
    out = write_head(out, length_of(piece.parts, holes));
    uint8_t* const start = out;
    for (const Part& part : piece.parts) out = write_part(out, part, holes);
    if (piece.key) key = {start, out};
    out = write_bytes(out, "\r\n", 2);
  }
  return key;
}

}  // namespace qstack::redis
