#include "native/capi/options_table.hh"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace qstack::capi {

namespace {

constexpr uint32_t kHops = 64;

constexpr OptionName kNames[] = {
    {SOL_SOCKET, SO_KEEPALIVE, TcpOption::keepalive, OptionUnit::flag},
    {SOL_SOCKET, SO_RCVBUF, TcpOption::receive_buffer, OptionUnit::size},
    {SOL_SOCKET, SO_SNDBUF, TcpOption::send_buffer, OptionUnit::size},
    {SOL_SOCKET, SO_MAX_PACING_RATE, TcpOption::pacing_rate, OptionUnit::rate},
    {IPPROTO_TCP, TCP_NODELAY, TcpOption::no_delay, OptionUnit::flag},
    {IPPROTO_TCP, TCP_QUICKACK, TcpOption::quick_ack, OptionUnit::flag},
    {IPPROTO_TCP, TCP_KEEPIDLE, TcpOption::keepalive_idle_ms, OptionUnit::seconds},
    {IPPROTO_TCP, TCP_KEEPINTVL, TcpOption::keepalive_interval_ms, OptionUnit::seconds},
    {IPPROTO_TCP, TCP_KEEPCNT, TcpOption::keepalive_count, OptionUnit::number},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, TcpOption::user_timeout_ms, OptionUnit::number},
    {IPPROTO_TCP, TCP_MAXSEG, TcpOption::max_segment, OptionUnit::number},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, TcpOption::not_sent_low_water, OptionUnit::number},
    {IPPROTO_TCP, TCP_SYNCNT, TcpOption::syn_retries, OptionUnit::number},
    {IPPROTO_IP, IP_TTL, TcpOption::ttl, OptionUnit::hops},
    {IPPROTO_IP, IP_TOS, TcpOption::dscp, OptionUnit::traffic_class},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, TcpOption::ttl, OptionUnit::hops},
    {IPPROTO_IPV6, IPV6_TCLASS, TcpOption::dscp, OptionUnit::traffic_class},
};

}  // namespace

const OptionName* find_option(int level, int name) {
  for (const OptionName& known : kNames) {
    if (known.level == level && known.name == name) return &known;
  }
  return nullptr;
}

int64_t to_value(const OptionName& name, int number) {
  const auto& range = abi::kSocketOptionRanges[static_cast<size_t>(name.option)];
  int64_t value = number;
  switch (name.unit) {
    case OptionUnit::flag:
      return number != 0;
    case OptionUnit::size:
      return std::clamp<int64_t>(value, range[0], range[1]);
    case OptionUnit::rate:
      return number == -1 ? 0 : static_cast<uint32_t>(number);
    case OptionUnit::traffic_class:
      return number < 0 || number > 255 ? -EINVAL : number >> 2;
    case OptionUnit::hops:
      if (number == -1) return kHops;
      break;
    case OptionUnit::seconds:
      value *= 1'000;
      break;
    case OptionUnit::number:
      break;
  }
  return value < range[0] || value > range[1] ? -EINVAL : value;
}

int from_value(const OptionName& name, uint32_t value) {
  switch (name.unit) {
    case OptionUnit::seconds:
      return static_cast<int>(value / 1'000);
    case OptionUnit::traffic_class:
      return static_cast<int>(value << 2);
    case OptionUnit::rate:
      return value == 0 ? -1 : static_cast<int>(value);
    default:
      return static_cast<int>(value);
  }
}

}  // namespace qstack::capi
