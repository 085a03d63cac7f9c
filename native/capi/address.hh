// Addresses as C programs have them, struct sockaddr and text, from and to ours.
#pragma once

#include <sys/socket.h>

#include <string>

#include "native/tcp/app.hh"
#include "native/wire/mac.hh"

namespace qstack::capi {

/// Reads an address given to a socket of `family` (AF_INET, AF_INET6). 0, or -EINVAL, -EAFNOSUPPORT, -EFAULT.
int read_sockaddr(const sockaddr* address, socklen_t length, int family, Endpoint& out);

/// Writes as much as there is room for, and how much it would be. Nothing where `address` is null; -EFAULT without
/// `length`.
int write_sockaddr(const Endpoint& endpoint, int family, sockaddr* address, socklen_t* length);

struct Network {
  IpAddress address;
  uint8_t prefix_length = 0;
};

// Each throws std::invalid_argument with a sentence that begins with `what`.
IpAddress parse_address(const std::string& text, bool ipv6, const char* what);
Network parse_network(const std::string& text, bool ipv6, const char* what);
MacAddress parse_mac(const std::string& text, const char* what);

}  // namespace qstack::capi
