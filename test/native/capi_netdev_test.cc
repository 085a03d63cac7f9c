// A stack that another program drives wholly: its frames, its clock, its chances.
#include <vector>

#include "native/wire/checksum.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/tcp.hh"
#include "test/native/capi_world.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

using Frame = std::vector<uint8_t>;

constexpr uint32_t kPeer = 0xc0000201, kOwn = 0x0a000001;

qst_config base() {
  qst_config config;
  qst_config_init(&config);
  config.ipv4 = "10.0.0.1/24";
  config.sockets = 8;
  config.rx_packets = config.tx_packets = 256;
  config.half_open = config.time_wait = 8;
  config.clock = QST_CLOCK_MANUAL;
  config.seed = 7;
  return config;
}

/// A runner that sees IP packets only.
class Runner {
 public:
  explicit Runner(qst_config config = with_ip_layer()) : stack(qst_create(&config)) { REQUIRE_MESSAGE(stack != nullptr, qst_error()); }
  ~Runner() { qst_destroy(stack); }

  static qst_config with_ip_layer() {
    qst_config config = base();
    config.netdev_layer = QST_NETDEV_IP;
    return config;
  }

  void advance(uint64_t us) {
    now_ns += us * 1'000;
    CHECK(qst_set_clock(stack, now_ns) == 0);
    qst_turn(stack);
  }
  void send(uint8_t flags, Seq seq, Seq ack, const std::string& payload = "", uint16_t urgent = 0) {
    Frame frame(kIpv4Header + kTcpHeader + payload.size());
    write_ipv4(frame.data(), kPeer, kOwn, kProtocolTcp, static_cast<uint16_t>(frame.size()));
    uint8_t* const tcp = frame.data() + kIpv4Header;
    const auto length = static_cast<uint16_t>(kTcpHeader + payload.size());
    write_tcp_header(tcp, 5'000, 80, seq, ack, kTcpHeader, flags, 60'000);
    store_be16(tcp + 18, urgent);
    payload.copy(reinterpret_cast<char*>(tcp + kTcpHeader), payload.size());
    const uint16_t sum = internet_checksum(tcp, length, checksum_pseudo(kPeer, kOwn, kProtocolTcp, length));
    std::memcpy(tcp + 16, &sum, 2);
    CHECK(qst_netdev_send(stack, frame.data(), frame.size()) == 0);
    qst_turn(stack);
  }
  /// The next packet that the stack has sent.
  bool take(TcpSegment& segment, std::string& payload) {
    uint8_t buffer[1'500];
    const ssize_t length = qst_netdev_receive(stack, buffer, sizeof(buffer));
    if (length < 0) return false;
    REQUIRE(buffer[0] == 0x45);
    REQUIRE(parse_tcp(buffer + 20, static_cast<uint16_t>(length - 20), segment));
    payload.assign(reinterpret_cast<char*>(buffer + 20 + segment.header_length), segment.payload_length);
    return true;
  }

  qst_stack* stack;
  uint64_t now_ns = 0;
};

int listening(qst_stack* stack) {
  const int fd = qst_socket(stack, AF_INET, SOCK_STREAM, 0);
  const sockaddr_in any = ipv4("0.0.0.0", 80);
  CHECK(qst_bind(stack, fd, generic(any), sizeof(any)) == 0);
  CHECK(qst_listen(stack, fd, 1) == 0);
  return fd;
}

}  // namespace

TEST_CASE("a runner opens a connection packet by packet, and the stack acknowledges by the runner's clock") {
  Runner runner;
  const int listener = listening(runner.stack);
  TcpSegment segment;
  std::string payload;
  runner.send(kSyn, 1'000, 0);
  REQUIRE(runner.take(segment, payload));
  CHECK(segment.flags == (kSyn | kAck));
  CHECK(segment.ack == 1'001);
  const Seq iss = segment.seq;
  runner.send(kAck, 1'001, iss + 1);
  const int fd = qst_accept(runner.stack, listener, nullptr, nullptr);
  REQUIRE(fd >= 0);

  runner.send(kAck, 1'001, iss + 1, "hello");
  char buffer[16];
  CHECK(qst_read(runner.stack, fd, buffer, sizeof(buffer)) == 5);
  CHECK(!runner.take(segment, payload));  // the ACK is delayed for 40 ms
  runner.advance(39'000);
  CHECK(!runner.take(segment, payload));
  runner.advance(2'000);
  REQUIRE(runner.take(segment, payload));
  CHECK(segment.ack == 1'006);

  CHECK(qst_write(runner.stack, fd, "world", 5) == 5);
  runner.advance(0);
  REQUIRE(runner.take(segment, payload));
  CHECK(payload == "world");
  CHECK(segment.seq == iss + 1);
  runner.advance(3'000'000);  // nobody acknowledges: it comes again
  REQUIRE(runner.take(segment, payload));
  CHECK(payload == "world");
}

TEST_CASE("RFC 9293 3.8.5: POLLPRI from the urgent pointer on until what is urgent has been read") {
  Runner runner;
  const int listener = listening(runner.stack);
  TcpSegment segment;
  std::string payload;
  runner.send(kSyn, 1'000, 0);
  REQUIRE(runner.take(segment, payload));
  const Seq ack = segment.seq + 1;
  runner.send(kAck, 1'001, ack);
  const int fd = qst_accept(runner.stack, listener, nullptr, nullptr);
  const auto polled = [&] {
    pollfd one{fd, POLLIN | POLLPRI, 0};
    qst_poll(runner.stack, &one, 1, 0);
    return one.revents;
  };
  const int epoll = qst_epoll_create(runner.stack, 1);
  epoll_event event{};
  event.events = EPOLLPRI | EPOLLET;
  CHECK(qst_epoll_ctl(runner.stack, epoll, EPOLL_CTL_ADD, fd, &event) == 0);
  runner.send(kAck, 1'001, ack, "calm");
  CHECK(polled() == POLLIN);
  CHECK(qst_epoll_wait(runner.stack, epoll, &event, 1, 0) == 0);
  runner.send(kAck | kUrg, 1'005, ack, "hurry, calm", 5);
  CHECK(polled() == (POLLIN | POLLPRI));
  CHECK(qst_epoll_wait(runner.stack, epoll, &event, 1, 0) == 1);
  CHECK(uint32_t{event.events} == EPOLLPRI);
  char buffer[32];
  CHECK(qst_read(runner.stack, fd, buffer, 8) == 8);
  CHECK(std::string(buffer, 8) == "calmhurr");
  CHECK(polled() == (POLLIN | POLLPRI));
  CHECK(qst_read(runner.stack, fd, buffer, 1) == 1);
  CHECK(polled() == POLLIN);
  CHECK(qst_read(runner.stack, fd, buffer, 32) == 6);
  runner.send(kAck | kUrg, 1'016, ack, "", 3);  // announced, and not here yet
  CHECK(polled() == POLLPRI);
}

TEST_CASE("two runs with one seed are the same, with another they differ") {
  const auto iss = [](uint64_t seed) {
    qst_config config = Runner::with_ip_layer();
    config.seed = seed;
    Runner runner(config);
    listening(runner.stack);
    runner.send(kSyn, 1'000, 0);
    TcpSegment segment;
    std::string payload;
    REQUIRE(runner.take(segment, payload));
    return segment.seq;
  };
  CHECK(iss(1) == iss(1));
  CHECK(iss(1) != iss(2));
  CHECK(iss(0) != iss(0));
}

TEST_CASE("an active open through IP packets needs no ARP; IPv6 neither") {
  qst_config config = Runner::with_ip_layer();
  config.ipv6 = "fd00::1/64";
  Runner runner(config);
  uint8_t buffer[1'500];
  const int fd = qst_socket(runner.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const sockaddr_in to = ipv4("192.0.2.1", 80);
  CHECK_ERRNO(qst_connect(runner.stack, fd, generic(to), sizeof(to)), EINPROGRESS);
  qst_turn(runner.stack);
  TcpSegment segment;
  std::string payload;
  REQUIRE(runner.take(segment, payload));
  CHECK(segment.flags == kSyn);
  const int six = qst_socket(runner.stack, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const sockaddr_in6 to6 = ipv6("2001:db8::1", 80);
  CHECK_ERRNO(qst_connect(runner.stack, six, generic(to6), sizeof(to6)), EINPROGRESS);
  qst_turn(runner.stack);
  CHECK(qst_netdev_receive(runner.stack, buffer, sizeof(buffer)) > 60);
  CHECK((buffer[0] & 0xf0) == 0x60);
  CHECK_ERRNO(qst_netdev_receive(runner.stack, buffer, sizeof(buffer)), EAGAIN);
}

TEST_CASE("Ethernet frames: the stack asks by ARP for who is not named as a neighbour") {
  qst_config config = base();
  const qst_neighbor known{"10.0.0.2", "02:00:00:00:00:02"};
  config.neighbors = &known;
  config.neighbor_count = 1;
  Runner runner(config);
  for (const char* const address : {"10.0.0.2", "10.0.0.3"}) {
    const int fd = qst_socket(runner.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const sockaddr_in to = ipv4(address, 80);
    CHECK_ERRNO(qst_connect(runner.stack, fd, generic(to), sizeof(to)), EINPROGRESS);
    qst_turn(runner.stack);
    uint8_t frame[1'514];
    CHECK_ERRNO(qst_netdev_receive(runner.stack, frame, 20), EMSGSIZE);
    CHECK(qst_netdev_receive(runner.stack, frame, sizeof(frame)) >= 42);
    const bool named = address[7] == '2';
    CHECK(ethernet_type(frame) == (named ? kEtherTypeIpv4 : kEtherTypeArp));
    CHECK(frame[5] == (named ? 2 : 0xff));
  }
}

TEST_CASE("frames are bounded in size and number, and a full queue of the runner's loses none") {
  Runner runner;
  uint8_t frame[2'000] = {0x45};
  CHECK_ERRNO(qst_netdev_send(runner.stack, frame, 0), EINVAL);
  CHECK_ERRNO(qst_netdev_send(runner.stack, nullptr, 1), EFAULT);
  CHECK_ERRNO(qst_netdev_send(runner.stack, frame, 1'501), EMSGSIZE);
  CHECK(qst_netdev_send(runner.stack, frame, 1'500) == 0);
  frame[0] = 0;
  CHECK_ERRNO(qst_netdev_send(runner.stack, frame, 20), EINVAL);
  frame[0] = 0x45;
  int given = 1;
  while (qst_netdev_send(runner.stack, frame, 20) == 0) ++given;
  CHECK(errno == EAGAIN);
  CHECK(given >= 200);
  qst_turn(runner.stack);
  CHECK(qst_netdev_send(runner.stack, frame, 20) == 0);
  uint64_t seen = 0;
  CHECK(qst_counter(runner.stack, "rx_packets", &seen) == 0);
  CHECK(seen == static_cast<uint64_t>(given));
}

TEST_CASE("a manual clock never goes back, and the machine's cannot be set") {
  Runner runner;
  CHECK(qst_clock(runner.stack) == 0);
  CHECK(qst_set_clock(runner.stack, 5) == 0);
  CHECK(qst_clock(runner.stack) == 5);
  CHECK_ERRNO(qst_set_clock(runner.stack, 4), EINVAL);
  CHECK_ERRNO(qst_set_clock(runner.stack, UINT64_MAX), EINVAL);
  qst_config config = base();
  config.clock = QST_CLOCK_MONOTONIC;
  qst_stack* const stack = qst_create(&config);
  const uint64_t before = qst_clock(stack);
  CHECK(before > 0);
  CHECK(qst_clock(stack) >= before);
  CHECK_ERRNO(qst_set_clock(stack, before + 1'000'000'000), EINVAL);
  const int fd = qst_socket(stack, AF_INET, SOCK_STREAM, 0);
  const sockaddr_in any = ipv4("0.0.0.0", 80);
  CHECK(qst_bind(stack, fd, generic(any), sizeof(any)) == 0);
  CHECK(qst_listen(stack, fd, 1) == 0);
  pollfd one{fd, POLLIN, 0};
  CHECK(qst_poll(stack, &one, 1, 20) == 0);
  CHECK(qst_clock(stack) >= before + 20'000'000);
  qst_interrupt(stack);
  CHECK_ERRNO(qst_accept(stack, fd, nullptr, nullptr), EINTR);
  qst_destroy(stack);
}

TEST_CASE("a wrong configuration is refused with a sentence that names the field") {
  const auto fault = [](const std::function<void(qst_config&)>& change) {
    qst_config config = base();
    change(config);
    errno = 0;
    CHECK(qst_create(&config) == nullptr);
    CHECK(errno == EINVAL);
    return std::string(qst_error());
  };
  CHECK(fault([](qst_config& c) { c.ipv4 = nullptr; }).starts_with("ipv4 or ipv6"));
  CHECK(fault([](qst_config& c) { c.ipv4 = "10.0.0.1"; }).starts_with("ipv4: \"10.0.0.1\", but an address with its prefix"));
  CHECK(fault([](qst_config& c) { c.ipv4 = "10.0.0.1/33"; }).starts_with("ipv4"));
  CHECK(fault([](qst_config& c) { c.ipv4 = "0.0.0.0/0"; }).starts_with("ipv4"));
  CHECK(fault([](qst_config& c) { c.ipv6 = "ff02::1/64"; }).starts_with("ipv6"));
  CHECK(fault([](qst_config& c) { c.ipv4_gateway = "here"; }).starts_with("ipv4_gateway"));
  CHECK(fault([](qst_config& c) { c.mac = "01:00:00:00:00:01"; }).starts_with("mac"));
  CHECK(fault([](qst_config& c) { c.mtu = 9'000; }).starts_with("mtu: 9000, but 576 to 1500"));
  CHECK(fault([](qst_config& c) { c.sockets = 1u << 30; }).starts_with("sockets"));
  CHECK(fault([](qst_config& c) { c.congestion = "vegas"; }).starts_with("congestion"));
  CHECK(fault([](qst_config& c) { c.delayed_ack_ms = 501; }).starts_with("delayed_ack_ms"));
  CHECK(fault([](qst_config& c) { c.size = 8; }).starts_with("size"));
  CHECK(fault([](qst_config& c) { c.neighbor_count = 1; }).starts_with("neighbors"));
  CHECK(fault([](qst_config& c) {
          c.netdev_layer = QST_NETDEV_IP;
          c.device = "tap:x";
        }).starts_with("netdev_layer"));
  CHECK(qst_create(nullptr) == nullptr);
  qst_destroy(nullptr);
}

TEST_CASE("counters are known by their names") {
  Runner runner;
  uint64_t value = 99;
  CHECK(qst_counter(runner.stack, "retransmits", &value) == 0);
  CHECK(value == 0);
  CHECK_ERRNO(qst_counter(runner.stack, "nonsense", &value), EINVAL);
  CHECK_ERRNO(qst_counter(runner.stack, nullptr, &value), EFAULT);
}
