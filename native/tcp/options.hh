// SocketOptions: what one connection, or all of one listener, may have otherwise than its stack; and TcpInfo, its state.
//
// The numbers, their ranges and the fields come from tools/layout (native/abi/layout.hh), since apps send and read them;
// docs/sockets.md says what each does. For programs with sockets of their own:
//   - before listen() or connect(): ListenerConfig::options.set(option, value);
//   - of a connection: TcpEngine::set_option(handle, option, value), option(handle, option), info(handle).
// Both setters return 0, -ENOPROTOOPT (no such option) or -EINVAL (out of its range), TcpEngine's also -ENOTCONN (the
// handle is dead) and -ENOBUFS (65,535 different sets of options are in use). Values are u32: times in milliseconds,
// sizes in bytes, rates in bytes per second, switches 0 or 1. SO_OOBINLINE is always on (RFC 6093).
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "native/abi/layout.hh"

namespace qstack {

using TcpOption = abi::SocketOption;
using TcpInfo = abi::ConnectionInfo;

inline constexpr uint32_t kTcpOptions = std::size(abi::kSocketOptionRanges);
/// No value of its own: as the stack is configured. Also linger_ms and not_sent_low_water where they are off.
inline constexpr uint32_t kOptionUnset = 0xffffffff;
/// A field of TcpInfo that is not known.
inline constexpr uint32_t kInfoUnknown = abi::kNoIndex;

class SocketOptions {
 public:
  SocketOptions() { values_.fill(kOptionUnset); }

  uint32_t operator[](TcpOption option) const { return values_[static_cast<size_t>(option)]; }

  /// kOptionUnset takes a value back. The number may be any, as it comes from an app.
  int set(TcpOption option, uint32_t value) {
    const auto number = static_cast<size_t>(option);
    if (number >= kTcpOptions) return -ENOPROTOOPT;
    const auto& range = abi::kSocketOptionRanges[number];
    if (value != kOptionUnset && (value < range[0] || value > range[1])) return -EINVAL;
    values_[number] = value;
    return 0;
  }
  /// The value is known to be one that the option takes.
  SocketOptions& put(TcpOption option, uint32_t value) {
    values_[static_cast<size_t>(option)] = value;
    return *this;
  }
  /// What has no value here gets that of `standard`.
  void complete(const SocketOptions& standard) {
    for (size_t i = 0; i < kTcpOptions; ++i) {
      if (values_[i] == kOptionUnset) values_[i] = standard.values_[i];
    }
  }

  const std::array<uint32_t, kTcpOptions>& values() const { return values_; }
  friend bool operator==(const SocketOptions&, const SocketOptions&) = default;

 private:
  std::array<uint32_t, kTcpOptions> values_;
};

}  // namespace qstack
