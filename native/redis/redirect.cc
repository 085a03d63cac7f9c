#include "native/redis/redirect.hh"

#include <charconv>

#include "native/redis/key_slot.hh"

namespace qstack::redis {
namespace {

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The whole of `text` as a number up to `most`.
std::optional<uint16_t> number_in(std::string_view text, uint32_t most) {
  uint32_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || fault != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
  return static_cast<uint16_t>(value);
}

/// What stands before `mark` (the last one, with `last`), and what stands behind it.
std::optional<std::pair<std::string_view, std::string_view>> cut(std::string_view text, char mark, bool last) {
  const size_t at = last ? text.rfind(mark) : text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  return std::pair{text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

bool passes_by(std::span<const uint8_t> error) {
  const std::string_view text = text_of(error);
  return text.starts_with("TRYAGAIN ") || text.starts_with("CLUSTERDOWN ");
}

std::optional<Redirect> parse_redirect(std::span<const uint8_t> error) {
  const std::string_view text = text_of(error);
  const auto named = cut(text, ' ', false);
  if (!named || (named->first != "MOVED" && named->first != "ASK")) return std::nullopt;
  const auto placed = cut(named->second, ' ', false);
  const auto server = placed ? cut(placed->second, ':', true) : std::nullopt;
  if (!server) return std::nullopt;
  const auto slot = number_in(placed->first, kSlots - 1);
  const auto port = number_in(server->second, UINT16_MAX);
  if (!slot || !port || *port == 0) return std::nullopt;
  return Redirect{named->first == "ASK", *slot, server->first, *port};
}

}  // namespace qstack::redis
