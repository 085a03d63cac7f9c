#include "native/capi/address.hh"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace qstack::capi {

namespace {

int read_ipv4(const sockaddr* address, socklen_t length, Endpoint& out) {
  sockaddr_in in;
  if (length < sizeof(in)) return -EINVAL;
  std::memcpy(&in, address, sizeof(in));
  out = {ntohl(in.sin_addr.s_addr), ntohs(in.sin_port)};
  return 0;
}

int read_ipv6(const sockaddr* address, socklen_t length, Endpoint& out) {
  sockaddr_in6 in;
  if (length < sizeof(in)) return -EINVAL;
  std::memcpy(&in, address, sizeof(in));
  out = {load_ipv6(in.sin6_addr.s6_addr), ntohs(in.sin6_port)};
  return 0;
}

void copy_out(const void* whole, socklen_t size, sockaddr* address, socklen_t* length) {
  std::memcpy(address, whole, std::min(size, *length));
  *length = size;
}

[[noreturn]] void refuse(const char* what, const std::string& text, const char* expected) {
  throw std::invalid_argument(std::string(what) + ": \"" + text + "\", but " + expected + " is expected");
}

}  // namespace

int read_sockaddr(const sockaddr* address, socklen_t length, int family, Endpoint& out) {
  if (address == nullptr) return -EFAULT;
  sa_family_t given = AF_UNSPEC;
  if (length < sizeof(given)) return -EINVAL;
  std::memcpy(&given, &address->sa_family, sizeof(given));
  if (given != family) return -EAFNOSUPPORT;
  return family == AF_INET6 ? read_ipv6(address, length, out) : read_ipv4(address, length, out);
}

int write_sockaddr(const Endpoint& endpoint, int family, sockaddr* address, socklen_t* length) {
  if (address == nullptr) return 0;
  if (length == nullptr) return -EFAULT;
  if (family == AF_INET6) {
    sockaddr_in6 out{};
    out.sin6_family = AF_INET6;
    out.sin6_port = htons(endpoint.port);
    store_ipv6(out.sin6_addr.s6_addr, endpoint.address);
    copy_out(&out, sizeof(out), address, length);
  } else {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(endpoint.port);
    out.sin_addr.s_addr = htonl(endpoint.address.ipv4());
    copy_out(&out, sizeof(out), address, length);
  }
  return 0;
}

IpAddress parse_address(const std::string& text, bool ipv6, const char* what) {
  uint8_t bytes[16];
  if (inet_pton(ipv6 ? AF_INET6 : AF_INET, text.c_str(), bytes) != 1) {
    refuse(what, text, ipv6 ? "an address like fd00::1" : "an address like 10.0.0.1");
  }
  return ipv6 ? load_ipv6(bytes) : IpAddress(load_be32(bytes));
}

Network parse_network(const std::string& text, bool ipv6, const char* what) {
  const size_t slash = text.find('/');
  const char* const expected = ipv6 ? "an address with its prefix like fd00::1/64" : "an address with its prefix like 10.0.0.1/24";
  if (slash == std::string::npos) refuse(what, text, expected);
  const std::string digits = text.substr(slash + 1);
  const bool number = !digits.empty() && digits.size() <= 3 && digits.find_first_not_of("0123456789") == std::string::npos;
  const int prefix = number ? std::stoi(digits) : -1;
  if (prefix < 0 || prefix > (ipv6 ? 128 : 32)) refuse(what, text, expected);
  return {parse_address(text.substr(0, slash), ipv6, what), static_cast<uint8_t>(prefix)};
}

MacAddress parse_mac(const std::string& text, const char* what) {
  unsigned bytes[6];
  int end = 0;
  const int fields = std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%n", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
                                 &bytes[4], &bytes[5], &end);
  if (fields != 6 || end != 17 || text.size() != 17 || (bytes[0] & 1) != 0) {
    refuse(what, text, "a station's MAC address like 02:00:00:00:00:01");
  }
  MacAddress mac;
  for (size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<uint8_t>(bytes[i]);
  return mac;
}

}  // namespace qstack::capi
