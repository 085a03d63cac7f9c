// The C API: two stacks whose frames the script carries, and calls with any arguments on both sides.
//
// Checked: every call that fails sets errno, and none takes or gives more than it was asked for; each byte that is read is
// the one that was written at that place of its connection; an epoll reports only what it was given; and when all is
// closed, every socket, connection and packet is given back.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <vector>

#include "native/capi/instance.hh"
#include "native/capi/qstack.h"
#include "test/fuzz/require.hh"
#include "test/fuzz/script.hh"
#include "test/fuzz/targets.hh"

namespace qstack::fuzz {
namespace {

constexpr uint32_t kSockets = 6, kPackets = 64;
constexpr const char* kAddresses[] = {"10.0.0.1", "10.0.0.2"};
constexpr const char* kAddresses6[] = {"fd00::1", "fd00::2"};
constexpr const char* kMacTexts[] = {"02:00:00:00:00:01", "02:00:00:00:00:02"};

/// Name of one direction of a connection: the writer's port and the reader's.
struct Way {
  uint16_t from = 0, to = 0;
};

/// What is written as byte `at` of a direction.
uint8_t byte_at(const Way& way, size_t at) {
  return static_cast<uint8_t>(at * 7 + (at >> 8) * 13 + way.from * 31u + way.to);
}

struct Descriptor {
  bool connected = false;  ///< `sends` and `receives` are known
  Way sends, receives;
  size_t written = 0, read = 0;
};

/// One stack and the numbers that it has given out.
struct Side {
  qst_stack* stack = nullptr;
  std::map<int, Descriptor> open;
  std::vector<int> epolls;
};

union Address {
  sockaddr any;
  sockaddr_in ipv4;
  sockaddr_in6 ipv6;
  uint8_t bytes[sizeof(sockaddr_storage)];
};

class CapiTarget {
 public:
  explicit CapiTarget(Script& script);
  ~CapiTarget() {
    for (Side& side : sides_) qst_destroy(side.stack);
  }
  void run();

 private:
  struct End {
    CapiTarget* world;
    uint32_t other;
  };
  static int waited(void* argument, uint64_t deadline);
  void make(uint32_t number, uint8_t mode);
  void step(uint8_t operation);
  void open(Side& side);
  void bind(Side& side);
  void listen(Side& side);
  void connect(Side& side, uint32_t number);
  void accept(Side& side);
  void write(Side& side);
  void read(Side& side);
  void end(Side& side);
  void option(Side& side);
  void epoll(Side& side);
  void epoll_wait(Side& side, int epoll);
  void poll(Side& side);
  void names(Side& side);
  void noise(Side& side);
  void carry(uint32_t from, uint8_t fate);
  void advance(Nanos step);
  void finish();

  int pick(const Side& side);
  socklen_t address(Address& out, uint32_t of);
  void learn(Side& side, int fd);
  void check(const Descriptor& descriptor, const uint8_t* bytes, size_t length) const;
  template <typename T>
  T checked(T result) const {
    require(result >= -1, "a call gives -1 or a number");
    require(result != -1 || errno != 0, "a call that fails sets errno");
    errno = 0;
    return result;
  }

  Script& script_;
  Side sides_[2];
  End ends_[2] = {{this, 1}, {this, 0}};
  Nanos now_ = 0;
  uint32_t waits_ = 0;
};

CapiTarget::CapiTarget(Script& script) : script_(script) {
  const uint8_t mode = script.u8();
  for (uint32_t i = 0; i < 2; ++i) make(i, mode);
}

void CapiTarget::make(uint32_t number, uint8_t mode) {
  const std::string own = std::string(kAddresses[number]) + "/24", own6 = std::string(kAddresses6[number]) + "/64";
  const qst_neighbor neighbors[] = {{kAddresses[1 - number], kMacTexts[1 - number]},
                                    {kAddresses6[1 - number], kMacTexts[1 - number]}};
  qst_config config;
  qst_config_init(&config);
  config.ipv4 = own.c_str();
  if (mode & 1) config.ipv6 = own6.c_str();
  config.mac = kMacTexts[number];
  config.neighbors = neighbors;
  config.neighbor_count = mode & 1 ? 2 : 1;
  config.sockets = kSockets;
  config.epolls = 2;
  config.epoll_interests = 6;
  config.half_open = config.time_wait = 4;
  config.rx_packets = config.tx_packets = kPackets;
  config.receive_buffer = mode & 2 ? 2'048 : 0;
  config.send_buffer = mode & 4 ? 3'000 : 60'000;
  config.rto_min_ms = 20;
  config.rto_max_ms = 1'000;
  config.time_wait_ms = 500;
  config.retries_max = 4;
  config.syn_retries_max = 2;
  config.delayed_ack_ms = mode & 8 ? -1 : 0;
  config.no_sack = mode & 16;
  config.clock = QST_CLOCK_MANUAL;
  config.seed = number + 1;
  config.wait = mode & 32 ? waited : nullptr;
  config.wait_argument = &ends_[number];
  sides_[number].stack = qst_create(&config);
  require(sides_[number].stack != nullptr, "a stack can be made");
}

/// A call waits: time passes, and frames travel. Not for ever.
int CapiTarget::waited(void* argument, uint64_t) {
  const End& end = *static_cast<End*>(argument);
  CapiTarget& world = *end.world;
  if (++world.waits_ > 200) return EINTR;
  world.now_ += 10'000'000;
  for (Side& side : world.sides_) qst_set_clock(side.stack, world.now_);
  world.carry(1 - end.other, 0);
  qst_turn(world.sides_[end.other].stack);
  world.carry(end.other, 0);
  errno = 0;
  return 0;
}

void CapiTarget::run() {
  errno = 0;
  while (!script_.done()) step(script_.u8());
  finish();
}

void CapiTarget::step(uint8_t operation) {
  constexpr Nanos kSteps[] = {0, 100'000, 1'000'000, 5'000'000, 45'000'000, 250'000'000, 1'100'000'000, 3'000'000'000};
  const uint32_t number = operation >> 4 & 1;
  Side& side = sides_[number];
  switch (operation & 15) {
    case 0: return open(side);
    case 1: return bind(side);
    case 2: return listen(side);
    case 3: return accept(side);
    case 4: return connect(side, number);
    case 5: case 6: return write(side);
    case 7: case 8: return read(side);
    case 9: return end(side);
    case 10: return option(side);
    case 11: return epoll(side);
    case 12: return operation & 32 ? poll(side) : names(side);
    case 13: return operation & 32 ? noise(side) : carry(number, script_.u8());
    default: return advance(kSteps[operation >> 5]);
  }
}

/// Mostly a number of this stack.
int CapiTarget::pick(const Side& side) {
  const uint8_t which = script_.u8();
  if (which >= 250) return QST_FD_FIRST + static_cast<int>(which);
  if (which >= 245) return static_cast<int>(script_.u32());
  if (side.open.empty()) return -1;
  auto at = side.open.begin();
  std::advance(at, which % side.open.size());
  return at->first;
}

/// An address of stack `of`, mostly.
socklen_t CapiTarget::address(Address& out, uint32_t of) {
  const uint8_t how = script_.u8();
  out = {};
  socklen_t length = sizeof(out.ipv4);
  const uint16_t port = how & 64 ? script_.u16() : static_cast<uint16_t>(80 + (how & 3));
  if (how & 16) {
    length = sizeof(out.ipv6);
    out.ipv6.sin6_family = AF_INET6;
    out.ipv6.sin6_port = htons(port);
    if (!(how & 4)) inet_pton(AF_INET6, how & 8 ? "::ffff:10.0.0.1" : kAddresses6[of], &out.ipv6.sin6_addr);
  } else {
    out.ipv4.sin_family = AF_INET;
    out.ipv4.sin_port = htons(port);
    if (!(how & 4)) out.ipv4.sin_addr.s_addr = how & 8 ? script_.u32() : inet_addr(kAddresses[of]);
  }
  if (how & 128) {
    out.bytes[script_.below(sizeof(out.bytes))] ^= script_.u8();
    length = script_.u8();
  }
  return length;
}

void CapiTarget::open(Side& side) {
  const uint8_t how = script_.u8();
  const int domain = how & 1 ? AF_INET6 : how & 128 ? script_.u8() : AF_INET;
  const int type = (how & 64 ? int{script_.u16()} : int{SOCK_STREAM}) | (how & 2 ? 0 : int{SOCK_NONBLOCK});
  const int fd = checked(qst_socket(side.stack, domain, type, how & 4 ? IPPROTO_TCP : how & 32 ? script_.u8() : 0));
  if (fd < 0) return;
  require(side.open.count(fd) == 0, "a number is given out once");
  side.open[fd] = {};
}

void CapiTarget::bind(Side& side) {
  Address own;
  const socklen_t length = address(own, static_cast<uint32_t>(&side - sides_));
  checked(qst_bind(side.stack, pick(side), &own.any, length));
}

void CapiTarget::listen(Side& side) {
  const int fd = pick(side);
  checked(qst_listen(side.stack, fd, script_.u8() - 2));
}

void CapiTarget::connect(Side& side, uint32_t number) {
  Address other;
  const socklen_t length = address(other, 1 - number);
  const int fd = pick(side);
  checked(qst_connect(side.stack, fd, &other.any, length));
  if (side.open.count(fd) != 0) learn(side, fd);
}

uint16_t port_of(const Address& address) {
  return ntohs(address.any.sa_family == AF_INET6 ? address.ipv6.sin6_port : address.ipv4.sin_port);
}

/// The ports of a connection name its two directions. One that was opened begins at byte 0.
void CapiTarget::learn(Side& side, int fd) {
  Descriptor& descriptor = side.open[fd];
  Address own, other;
  socklen_t length = sizeof(own);
  if (descriptor.connected || checked(qst_getsockname(side.stack, fd, &own.any, &length)) != 0) return;
  length = sizeof(other);
  if (checked(qst_getpeername(side.stack, fd, &other.any, &length)) != 0) return;
  descriptor.connected = true;
  descriptor.sends = {port_of(own), port_of(other)};
  descriptor.receives = {port_of(other), port_of(own)};
}

void CapiTarget::accept(Side& side) {
  const uint8_t how = script_.u8();
  Address from;
  socklen_t length = how & 1 ? script_.u8() : socklen_t{sizeof(from)};
  const int flags = how & 2 ? int{script_.u16()} : int{SOCK_NONBLOCK};
  const int fd = checked(qst_accept4(side.stack, pick(side), how & 4 ? nullptr : &from.any, how & 8 ? nullptr : &length, flags));
  if (fd < 0) return;
  require(side.open.count(fd) == 0, "a number is given out once");
  side.open[fd] = {};
  learn(side, fd);
}

void CapiTarget::write(Side& side) {
  const uint8_t how = script_.u8();
  size_t length = script_.u8() * (how & 1 ? 40u : 1u);
  const int fd = pick(side);
  const bool known = side.open.count(fd) != 0;
  if (known) learn(side, fd);
  Descriptor none;
  Descriptor& descriptor = known ? side.open[fd] : none;
  if (known && !descriptor.connected) length = 0;  // nobody would know what to expect
  std::vector<uint8_t> bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = byte_at(descriptor.sends, descriptor.written + i);
  ssize_t n;
  if (how & 2) {
    const size_t cut = length == 0 ? 0 : script_.u8() % length;
    const iovec parts[] = {{bytes.data(), cut}, {nullptr, 0}, {bytes.data() + cut, length - cut}};
    n = checked(qst_writev(side.stack, fd, parts, how & 4 ? static_cast<int8_t>(script_.u8()) % 4 : 3));
  } else {
    const int flags = how & 8 ? static_cast<int>(script_.u32()) : int{MSG_DONTWAIT};
    n = checked(qst_sendto(side.stack, fd, bytes.data(), length, flags, nullptr, 0));
  }
  require(n <= static_cast<ssize_t>(length), "no more is written than there is");
  if (n > 0) descriptor.written += static_cast<size_t>(n);
}

void CapiTarget::check(const Descriptor& descriptor, const uint8_t* bytes, size_t length) const {
  for (size_t i = 0; i < length; ++i) {
    require(bytes[i] == byte_at(descriptor.receives, descriptor.read + i), "bytes come in order, and as they were written");
  }
}

void CapiTarget::read(Side& side) {
  const uint8_t how = script_.u8();
  const size_t length = script_.u8() * (how & 1 ? 40u : 1u);
  const int fd = pick(side);
  const bool known = side.open.count(fd) != 0;
  if (known) learn(side, fd);
  std::vector<uint8_t> bytes(length);
  const int flags = how & 2 ? MSG_PEEK | MSG_DONTWAIT : how & 4 ? static_cast<int>(script_.u32()) : MSG_DONTWAIT;
  ssize_t n;
  if (how & 8) {
    const size_t cut = length == 0 ? 0 : script_.u8() % length;
    const iovec parts[] = {{bytes.data(), cut}, {bytes.data() + cut, length - cut}};
    n = checked(qst_readv(side.stack, fd, parts, 2));
  } else {
    Address from;
    socklen_t room = sizeof(from);
    n = checked(qst_recvfrom(side.stack, fd, bytes.data(), length, flags, how & 16 ? &from.any : nullptr, &room));
  }
  require(n <= static_cast<ssize_t>(length), "no more is read than there is room for");
  if (n <= 0) return;
  require(known, "only a socket can be read");
  if (!side.open[fd].connected) return;  // it was over before its name was known
  check(side.open[fd], bytes.data(), static_cast<size_t>(n));
  const bool peeked = !(how & 8) && (flags & MSG_PEEK);
  if (!peeked) side.open[fd].read += static_cast<size_t>(n);
}

void CapiTarget::end(Side& side) {
  const uint8_t how = script_.u8();
  if (how & 4) {
    checked(qst_shutdown(side.stack, pick(side), how & 3));
    return;
  }
  const int fd = pick(side);
  if (side.open.count(fd) != 0) learn(side, fd);
  if (checked(qst_close(side.stack, fd)) == 0) {
    side.open.erase(fd);
    std::erase(side.epolls, fd);
  }
}

void CapiTarget::option(Side& side) {
  constexpr int kLevels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IPV6, IPPROTO_IP};
  constexpr int kNames[] = {SO_LINGER, SO_ERROR, SO_SNDBUF, SO_RCVBUF, SO_REUSEADDR, SO_RCVTIMEO, SO_KEEPALIVE, IPV6_V6ONLY};
  const uint8_t how = script_.u8();
  const int level = how & 64 ? script_.u8() : kLevels[how & 3];
  const int name = how & 32 ? script_.u8() : kNames[how >> 2 & 7];
  uint8_t value[32] = {};
  for (uint8_t& byte : value) byte = how & 128 ? script_.u8() : 0;
  if (!(how & 128)) value[0] = script_.u8();
  const int fd = pick(side);
  const uint8_t size = script_.u8();
  if (level == SOL_SOCKET && name == SO_MAX_PACING_RATE) return;  // a byte a second would outlast the end
  socklen_t length = size & 128 ? script_.u32() : size & 31;
  if (size & 64) {
    if (length > sizeof(value)) length = sizeof(value);
    checked(qst_setsockopt(side.stack, fd, level, name, size & 32 ? nullptr : value, length));
    return;
  }
  // A tcp_info is larger; a program that lies about its room has only itself to blame.
  uint8_t out[512];
  if (length > sizeof(out) && static_cast<int>(length) >= 0) length = sizeof(out);
  checked(qst_getsockopt(side.stack, fd, level, name, size & 32 ? nullptr : out, &length));
}

void CapiTarget::epoll(Side& side) {
  const uint8_t how = script_.u8();
  if ((how & 7) == 0) {
    const int fd = checked(qst_epoll_create(side.stack, how & 8 ? 0 : 1));
    if (fd >= 0) side.epolls.push_back(fd);
    return;
  }
  const int epoll = side.epolls.empty() ? pick(side) : side.epolls[how >> 3 & 1 & (side.epolls.size() - 1)];
  if ((how & 7) == 1) {
    if (checked(qst_close(side.stack, epoll)) == 0) {
      std::erase(side.epolls, epoll);
      side.open.erase(epoll);
    }
    return;
  }
  if ((how & 7) > 4) return epoll_wait(side, epoll);
  epoll_event event{};
  event.events = how & 16 ? script_.u32() : static_cast<uint32_t>(EPOLLIN | EPOLLOUT) | (how & 32 ? uint32_t{EPOLLET} : 0);
  const int fd = pick(side);
  event.data.fd = fd;
  checked(qst_epoll_ctl(side.stack, epoll, how & 64 ? script_.u8() : EPOLL_CTL_ADD, fd, how & 128 ? nullptr : &event));
}

void CapiTarget::epoll_wait(Side& side, int epoll) {
  epoll_event events[4] = {};
  const int most = script_.u8() % 6 - 1;
  const int n = checked(qst_epoll_wait(side.stack, epoll, events, most > 4 ? 4 : most, 0));
  require(n <= most, "no more events than there is room for");
  for (int i = 0; i < n; ++i) {
    require(events[i].events != 0, "an event says something");
    require(side.open.count(events[i].data.fd) != 0, "an event is about an open socket");
  }
}

void CapiTarget::poll(Side& side) {
  pollfd list[4];
  const uint32_t count = script_.below(5);
  for (uint32_t i = 0; i < count; ++i) list[i] = {pick(side), static_cast<short>(script_.u16()), 0x5555};
  const int n = checked(qst_poll(side.stack, list, count, 0));
  int ready = 0;
  for (uint32_t i = 0; i < count; ++i) ready += list[i].revents != 0;
  require(n == ready, "poll counts what is ready");
}

void CapiTarget::names(Side& side) {
  const uint8_t how = script_.u8();
  const int fd = pick(side);
  Address out;
  socklen_t length = how & 4 ? script_.u8() : socklen_t{sizeof(out)};
  switch (how & 3) {
    case 0:
      checked(qst_getsockname(side.stack, fd, how & 8 ? nullptr : &out.any, how & 16 ? nullptr : &length));
      return;
    case 1:
      checked(qst_getpeername(side.stack, fd, how & 8 ? nullptr : &out.any, how & 16 ? nullptr : &length));
      return;
    case 2:
      checked(qst_fcntl(side.stack, fd, how & 8 ? script_.u8() : F_GETFL));
      return;
    default:
      checked(qst_fcntl(side.stack, fd, F_SETFL, how & 8 ? script_.u32() : O_NONBLOCK));
      return;
  }
}

/// A frame of nobody, with any bytes.
void CapiTarget::noise(Side& side) {
  const auto body = script_.bytes(script_.u8());
  std::vector<uint8_t> frame = {2, 0, 0, 0, 0, static_cast<uint8_t>(1 + (&side - sides_)), 2, 0, 0, 0, 0, 9, 8, 0};
  frame.insert(frame.end(), body.begin(), body.end());
  checked(qst_netdev_send(side.stack, frame.data(), frame.size()));
}

/// Frames of one side to the other; `fate` damages some of the first.
void CapiTarget::carry(uint32_t from, uint8_t fate) {
  uint8_t frame[1'514];
  for (;;) {
    const ssize_t length = checked(qst_netdev_receive(sides_[from].stack, frame, sizeof(frame)));
    if (length < 0) return;
    const uint8_t mine = fate & 3;
    fate = static_cast<uint8_t>(fate >> 2);
    if (mine == 1) continue;
    if (mine == 3) frame[static_cast<size_t>(length) - 1 - fate % 20] ^= 0x10;
    for (int copies = mine == 2 ? 2 : 1; copies > 0; --copies) {
      checked(qst_netdev_send(sides_[1 - from].stack, frame, static_cast<size_t>(length)));
    }
  }
}

void CapiTarget::advance(Nanos step) {
  now_ += step;
  for (uint32_t i = 0; i < 2; ++i) {
    require(qst_set_clock(sides_[i].stack, now_) == 0, "time may pass");
    require(qst_turn(sides_[i].stack) >= 0, "a turn can be taken");
    carry(i, 0);
  }
}

void CapiTarget::finish() {
  waits_ = 1'000;
  for (Side& side : sides_) {
    while (!side.epolls.empty()) {
      require(qst_close(side.stack, side.epolls.back()) == 0, "an epoll can be closed");
      side.epolls.pop_back();
    }
    while (!side.open.empty()) {
      require(qst_close(side.stack, side.open.begin()->first) == 0, "an open socket can be closed");
      side.open.erase(side.open.begin());
    }
    require(side.stack->sockets().sockets_used() == 0, "every socket is given back");
    require(side.stack->sockets().interests_used() == 0, "every interest is given back");
  }
  for (int second = 0; second < 16; ++second) advance(1'000'000'000);
  for (Side& side : sides_) {
    const TcpEngine& engine = side.stack->stack().engine();
    require(engine.connections_used() == 0 && engine.busy_used() == 0, "every connection is given back");
    require(engine.half_open_used() == 0 && engine.time_wait_used() == 0, "every record is given back");
    capi::Device& device = side.stack->device();
    require(device.rx().available() == kPackets, "every received packet is given back");
    require(device.tx().available() == kPackets, "every packet to send is given back");
  }
}

}  // namespace

void capi(std::span<const uint8_t> input) {
  if (input.size() > 4096) return;
  Script script(input);
  CapiTarget(script).run();
}

}  // namespace qstack::fuzz
