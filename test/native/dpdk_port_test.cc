// EAL starts once per process: each case forks children before any EAL exists, and a child tells what went wrong.
// Children are ordinary users even when the test is run by root, but those that need a namespace.
#include "native/port/dpdk_port.hh"

#include <doctest/doctest.h>
#include <grp.h>
#include <rte_ethdev.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <stdexcept>

#include "native/ip/ip_layer.hh"
#include "native/ip/tx_queue.hh"
#include "native/mempool/mapping.hh"
#include "native/port/devices.hh"
#include "native/port/eal.hh"
#include "native/port/interrupt_gate.hh"
#include "native/wire/bytes.hh"

using namespace qstack;

namespace {

constexpr uid_t kNobody = 65534;
constexpr uint32_t kFrames = 100'000;
constexpr int kKills = 12;
constexpr int kKnocks = 500;
constexpr double kPatience = 30;  // seconds; a sanitizer and a busy machine are slow

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Nanos nanos() { return static_cast<Nanos>(seconds() * 1e9); }

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

void wait_until(const std::function<bool()>& done, const std::string& what) {
  const double end = seconds() + kPatience;
  while (!done()) {
    require(seconds() < end, "timed out: " + what);
    sched_yield();
  }
}

void become_nobody() {
  if (geteuid() != 0) return;
  require(setgroups(0, nullptr) == 0 && setresgid(kNobody, kNobody, kNobody) == 0 &&
              setresuid(kNobody, kNobody, kNobody) == 0,
          "privileges not dropped");
}

/// A process of its own; result() is "" when its work went well.
class Child {
 public:
  explicit Child(const std::function<void()>& work) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    fflush(nullptr);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) run(work, ends[1]);
    close(ends[1]);
    pipe_ = ends[0];
  }

  void kill_it() { kill(pid_, SIGKILL); }

  std::string result() {
    std::string text;
    char buffer[512];
    for (ssize_t n; (n = read(pipe_, buffer, sizeof(buffer))) > 0;) text.append(buffer, static_cast<size_t>(n));
    close(pipe_);
    int status = 0;
    waitpid(pid_, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) text += " (ended with status " + std::to_string(status) + ")";
    return text;
  }

 private:
  [[noreturn]] static void run(const std::function<void()>& work, int out) {
    std::string text;
    try {
      work();
    } catch (const std::exception& error) {
      text = error.what();
    }
    const bool told = write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(told ? 0 : 1);
  }

  pid_t pid_;
  int pipe_;
};

std::string in_child(const std::function<void()>& work) { return Child(work).result(); }

/// Pools on memory of ours, as a stack has them.
struct Pools {
  static constexpr uint32_t kRx = 2048, kTx = 1024;
  const uint32_t rx_count;
  Mapping memory;
  PacketRegion region;
  DpdkPool rx, tx;
  explicit Pools(uint32_t rx_packets = kRx, uint32_t extra = 0, const std::string& of = "")
      : rx_count(rx_packets),
        memory(size_t{dpdk_region(nullptr, 1, extra).stride} * (rx_count + kTx)),
        region(dpdk_region(memory.data(), rx_count + kTx, extra)),
        rx("rx" + of, region, 0, rx_count),
        tx("tx" + of, region, rx_count, kTx) {}

  Packet* frame(uint32_t number) {
    Packet* const packet = tx.allocate();
    if (packet == nullptr) return nullptr;
    packet->length = 64;
    store_be32(packet->data, number);
    return packet;
  }
  void require_full() {
    require(rx.available() == rx_count, "RX packets lost: " + std::to_string(rx.available()));
    require(tx.available() == kTx, "TX packets lost: " + std::to_string(tx.available()));
  }
};

/// What `work` throws, as a text; "" when it throws nothing.
std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

void require_mentions(const std::string& text, const std::string& word) {
  require(text.find(word) != std::string::npos, "\"" + text + "\" does not mention \"" + word + "\"");
}

void start_as_nobody() {
  become_nobody();
  prctl(PR_SET_DUMPABLE, 1);  // /proc/self is its own, as of a process that an ordinary user has started
  start_eal({});
}

struct SocketFolder {
  std::string path;
  SocketFolder() {
    char name[] = "/tmp/qstack-memif-XXXXXX";
    path = mkdtemp(name);
    if (geteuid() == 0) REQUIRE(chown(path.c_str(), kNobody, kNobody) == 0);
  }
  ~SocketFolder() { std::filesystem::remove_all(path); }
};

void memif_receiver(const std::string& socket) {
  start_as_nobody();
  Pools pools;
  {
    const MemifOptions options{.role = MemifRole::server, .socket = socket};
    prepare_memif_socket(options);
    DpdkPort port({.device = memif_device(options), .mac = derive_mac(1)}, pools.rx);
    uint32_t next = 0;
    wait_until(
        [&] {
          Packet* burst[32];
          const uint32_t n = port.rx_burst(burst, 32, nanos());
          for (uint32_t i = 0; i < n; ++i) {
            require(burst[i]->length == 64, "wrong length");
            require(load_be32(burst[i]->data) == next, "out of order at " + std::to_string(next));
            require(burst[i]->arrival == next++, "wrong arrival number");
            require(pools.region.at(burst[i]->index) == burst[i], "wrong index");
            pools.rx.release(burst[i]);
          }
          return next == kFrames;
        },
        "receiving");
    Packet* done = pools.frame(kFrames);
    wait_until([&] { return port.tx_burst(&done, 1, nanos()) == 1; }, "answering");
    wait_until([&] { return !port.link_up(); }, "the peer's end seen as link down");
  }
  pools.require_full();
}

void memif_sender(const std::string& socket) {
  start_as_nobody();
  Pools pools;
  {
    DpdkPort port({.device = memif_device({.role = MemifRole::client, .socket = socket}), .mac = derive_mac(2)},
                  pools.rx);
    wait_until([&] { return port.link_up(); }, "link up");
    wait_until(
        [] {
          const uint64_t before = InterruptGate::openings();
          usleep(200'000);
          return InterruptGate::openings() == before;
        },
        "the gate left closed while nothing comes up");
    uint32_t next = 0;
    Packet* packet = nullptr;
    wait_until(
        [&] {
          if (packet == nullptr) packet = pools.frame(next);
          if (packet == nullptr || port.tx_burst(&packet, 1, nanos()) == 0) return false;
          packet = nullptr;
          return ++next == kFrames;
        },
        "sending");
    Packet* answer = nullptr;
    wait_until([&] { return port.rx_burst(&answer, 1, nanos()) == 1; }, "the answer");
    require(load_be32(answer->data) == kFrames, "wrong answer");
    pools.rx.release(answer);
  }
  pools.require_full();
}

/// What a parent and its children see together.
struct Shared {
  std::atomic<bool> stop{false};
  std::atomic<uint32_t> echoed{0};  ///< by the server
  std::atomic<uint32_t> heard{0};   ///< echoes that came back to the client
  bool wait_for_more(uint32_t count) const {
    const double end = seconds() + kPatience;
    while (heard < count && seconds() < end) usleep(1000);
    return heard >= count;
  }
  static Shared* make() {
    void* const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    return new (memory) Shared;
  }
};

/// Sends back what comes, until told to stop.
void memif_echo_server(const std::string& socket, Shared& shared) {
  start_as_nobody();
  Pools pools;
  {
    const MemifOptions options{.role = MemifRole::server, .socket = socket};
    prepare_memif_socket(options);
    DpdkPort port({.device = memif_device(options), .mac = derive_mac(1)}, pools.rx);
    wait_until(
        [&] {
          Packet* burst[32];
          const uint32_t n = port.rx_burst(burst, 32, nanos());
          const uint32_t sent = port.tx_burst(burst, n, nanos());
          for (uint32_t i = sent; i < n; ++i) pools.rx.release(burst[i]);
          shared.echoed += sent;
          return shared.stop.load();
        },
        "the end");
  }
  pools.require_full();
}

/// Sends a frame at a time and counts the echoes; answers get lost when a server dies.
void memif_patient_client(const std::string& socket, Shared& shared) {
  start_as_nobody();
  Pools pools;
  {
    DpdkPort port({.device = memif_device({.role = MemifRole::client, .socket = socket}), .mac = derive_mac(2)},
                  pools.rx);
    wait_until(
        [&] {
          Packet* packet = port.link_up() ? pools.frame(0) : nullptr;
          if (packet != nullptr && port.tx_burst(&packet, 1, nanos()) == 0) pools.tx.release(packet);
          Packet* burst[32];
          const uint32_t n = port.rx_burst(burst, 32, nanos());
          for (uint32_t i = 0; i < n; ++i) pools.rx.release(burst[i]);
          shared.heard += n;
          return shared.stop.load();
        },
        "the end");
  }
  pools.require_full();
}

/// Floods the server for 50 ms after the first echo.
void memif_flood(const std::string& socket) {
  start_as_nobody();
  Pools pools;
  DpdkPort port({.device = memif_device({.role = MemifRole::client, .socket = socket}), .mac = derive_mac(2)},
                pools.rx);
  double end = 0;
  wait_until(
      [&] {
        for (int i = 0; i < 32; ++i) {
          Packet* packet = pools.frame(0);
          if (packet != nullptr && port.tx_burst(&packet, 1, nanos()) == 0) pools.tx.release(packet);
        }
        Packet* burst[32];
        const uint32_t n = port.rx_burst(burst, 32, nanos());
        for (uint32_t i = 0; i < n; ++i) pools.rx.release(burst[i]);
        if (n > 0 && end == 0) end = seconds() + 0.05;
        return end != 0 && seconds() > end;
      },
      "echoes");
}

/// Connects and closes, over and over; returns how often that went well.
int knock(const std::string& path, int times) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  int connected = 0;
  for (int i = 0; i < times; ++i) {
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) ++connected;
    close(fd);
    usleep(2'000);
  }
  return connected;
}

void shell(const std::string& command) {
  require(system((command + " >/dev/null 2>&1").c_str()) == 0, "command failed: " + command);
}

/// Answers for 10.99.0.2 on a device in a network namespace of this child while the kernel's ping asks. `kept`: RX packets
/// that the driver gives back only with the pool.
void answer_ping(const std::string& device, const std::string& before, const std::string& after,
                 uint32_t kept = 0) {
  require(unshare(CLONE_NEWNET) == 0, "no network namespace");
  if (!before.empty()) shell(before);
  start_eal({});
  Pools pools(Pools::kRx + kept, extra_room(device));
  {
    IpConfig config;
    config.address = 0x0a630002;
    config.prefix_length = 24;
    config.mac = derive_mac(config.address);
    DpdkPort port({.device = device, .mac = config.mac}, pools.rx);
    shell(after);
    Counters counters;
    TxQueue queue(256);
    IpLayer ip(config, pools.rx, pools.tx, queue, counters);
    FILE* const ping = popen("ping -q -c 5 -i 0.2 -W 2 -s 1472 10.99.0.2 >/dev/null 2>&1; echo $?", "r");
    require(ping != nullptr, "ping not started");
    wait_until(
        [&] {
          Packet* burst[32];
          const uint32_t n = port.rx_burst(burst, 32, nanos());
          for (uint32_t i = 0; i < n; ++i) {
            if (ip.input(burst[i], nanos()) == IpLayer::Verdict::tcp) pools.rx.release(burst[i]);
          }
          queue.flush(port, nanos());
          return counters.get(Counter::icmp_out) >= 5;
        },
        "five echo requests");
    int code = -1;
    require(fscanf(ping, "%d", &code) == 1, "ping tells nothing");
    pclose(ping);
    require(code == 0, "ping saw loss");
    require(counters.get(Counter::arp_out) >= 1, "nobody asked by ARP");
  }
  if (kept == 0) pools.require_full();
}

constexpr uint32_t kFileFrames = 500;

/// Frames of growing length into a file, and out of it again in the same order.
void pcap_there_and_back(const std::string& file) {
  start_as_nobody();
  Pools pools;
  {
    DpdkPort port({.device = pcap_device(0, "tx=" + file)}, pools.rx);
    for (uint32_t i = 0; i < kFileFrames; ++i) {
      Packet* packet = pools.frame(i);
      packet->length = static_cast<uint16_t>(60 + 2 * i);
      memset(packet->data + 4, static_cast<int>(i), packet->length - 4u);
      require(port.tx_burst(&packet, 1, 0) == 1, "not written");
    }
    Packet* nothing = nullptr;
    require(port.rx_burst(&nothing, 1, 0) == 0, "something came out of a file that is written");
  }
  pools.require_full();
  DpdkPort port({.device = pcap_device(1, "rx=" + file)}, pools.rx);
  for (uint32_t i = 0; i < kFileFrames; ++i) {
    Packet* packet = nullptr;
    require(port.rx_burst(&packet, 1, 0) == 1, "frame " + std::to_string(i) + " not read");
    require(packet->length == 60 + 2 * i && load_be32(packet->data) == i, "changed on the way");
    require(packet->data[packet->length - 1] == (i & 0xff), "its end is wrong");
    pools.rx.release(packet);
  }
  Packet* more = nullptr;
  require(port.rx_burst(&more, 1, 0) == 0, "more than was written");
  pools.require_full();
}

/// False, with the reason printed, where the machine does not allow the test.
bool can_make_networks() {
  const char* reason = nullptr;
  if (geteuid() != 0) {
    reason = "needs root";
  } else if (access("/dev/net/tun", R_OK | W_OK) != 0) {
    reason = "needs /dev/net/tun";
  } else if (system("command -v ip >/dev/null && command -v ping >/dev/null") != 0) {
    reason = "needs ip and ping";
  } else if (!in_child([] { require(unshare(CLONE_NEWNET) == 0, "no"); }).empty()) {
    reason = "needs network namespaces";
  }
  if (reason != nullptr) MESSAGE("skipped: " << reason);
  return reason == nullptr;
}

}  // namespace

TEST_CASE("EAL starts for an ordinary user without hugepages, once, and says so") {
  CHECK(in_child([] {
          require(!eal_running(), "running before the start");
          start_as_nobody();
          require(eal_running(), "not running after the start");
          require_mentions(message_of([] { start_eal({}); }), "only once");
        }) == "");
}

TEST_CASE("a start that fails says why") {
  CHECK(in_child([] {
          become_nobody();
          require_mentions(message_of([] { start_eal({.memory_mib = 0x7fffffff}); }), "MiB of memory");
          require_mentions(message_of([] { start_eal({}); }), "failed to start");
        }) == "");
}

TEST_CASE("EAL leaves the process on all its CPUs") {
  CHECK(in_child([] {
          cpu_set_t before, after;
          sched_getaffinity(0, sizeof(before), &before);
          start_as_nobody();
          sched_getaffinity(0, sizeof(after), &after);
          require(CPU_EQUAL(&before, &after), "pinned to fewer");
        }) == "");
}

TEST_CASE("pools and devices before EAL, and devices that nobody makes, are refused with a sentence") {
  CHECK(in_child([] {
          require_mentions(message_of([] { Pools pools; }), "DPDK is not started");
          start_as_nobody();
          Pools pools;
          require_mentions(message_of([&] { DpdkPort({.device = "net_nonesuch0,a=b"}, pools.rx); }), "net_nonesuch0");
          require_mentions(message_of([&] { DpdkPort({.device = "net_memif0,role=king"}, pools.rx); }), "role=king");
          DpdkPort first({.device = "net_null0"}, pools.rx);
          require_mentions(message_of([&] { DpdkPort({.device = "net_null0"}, pools.rx); }), "in use");
        }) == "");
}

TEST_CASE("a failed device leaves nothing behind: the same name works afterwards") {
  CHECK(in_child([] {
          start_as_nobody();
          Pools pools;
          for (int i = 0; i < 3; ++i) {
            message_of([&] { DpdkPort({.device = "net_memif0,role=king"}, pools.rx); });
            DpdkPort port({.device = "net_null0"}, pools.rx);
          }
        }) == "");
}

TEST_CASE("every packet of both pools lies where its index says, and is counted") {
  CHECK(in_child([] {
          start_as_nobody();
          Pools pools;
          std::vector<Packet*> all(Pools::kTx);
          require(pools.tx.allocate(all.data(), Pools::kTx) == Pools::kTx, "not all allocated");
          require(pools.tx.allocate() == nullptr, "more than all");
          std::set<uint32_t> indices;
          for (uint32_t i = 0; i < Pools::kTx; ++i) {
            indices.insert(all[i]->index);
            require(pools.region.at(all[i]->index) == all[i], "wrong place");
            require(all[i]->data == PacketRegion::payload_start(all[i]), "wrong start");
            require(all[i]->owner == PacketOwner::stack, "wrong owner");
          }
          require(indices.size() == Pools::kTx && *indices.begin() == Pools::kRx, "a packet twice, or of the other pool");
          pools.tx.hold(all[0]);
          require(pools.tx.shared(all[0]), "not shared");
          pools.tx.release(all[0]);
          require(!pools.tx.shared(all[0]), "still shared");
          require(pools.tx.available() == 0, "freed with a reference left");
          for (Packet* const packet : all) pools.tx.release(packet);
          require(all[0]->owner == PacketOwner::pool, "free packet with an owner");
          pools.require_full();
        }) == "");
}

TEST_CASE("a ring device brings frames back as they were, headers in the headroom included") {
  CHECK(in_child([] {
          start_as_nobody();
          Pools pools;
          {
            DpdkPort port({.device = "net_ring0", .mac = derive_mac(7)}, pools.rx);
            require(port.mac() == derive_mac(7), "wrong MAC");
            require(port.link_up(), "link down");
            for (uint32_t i = 0; i < 1000; ++i) {
              Packet* packet = pools.frame(i);
              packet->data -= 54;
              packet->length = 54 + 64;
              store_be32(packet->data, ~i);
              require(port.tx_burst(&packet, 1, 0) == 1, "not sent");
              Packet* received = nullptr;
              require(port.rx_burst(&received, 1, 6400) == 1, "not received");
              require(received->length == 118 && load_be32(received->data) == ~i, "changed on the way");
              require(load_be32(received->data + 54) == i, "payload changed");
              require(received->rx_stamp == 100 && received->arrival == i, "not stamped");
              pools.tx.release(received);
            }
          }
          pools.require_full();
        }) == "");
}

TEST_CASE("a device with a queue for each pool has a port for each, and frames stay in theirs") {
  CHECK(in_child([] {
          start_as_nobody();
          Pools pools[2] = {Pools(), Pools(Pools::kRx, 0, "2")};
          {
            DpdkPort port({.device = "net_ring0", .mac = derive_mac(7)}, {&pools[0].rx, &pools[1].rx});
            const std::vector<Port*> queues = port.queues();
            require(queues.size() == 2 && queues[0] == &port, std::to_string(queues.size()) + " queues");
            require(!port.has_rss(), "a ring hashes nothing");
            require(queues[1]->mac() == derive_mac(7) && queues[1]->link_up() && queues[1]->mtu() == port.mtu(), "another device");
            for (uint32_t i = 0; i < 1000; ++i) {
              Packet* packet = pools[i % 2].frame(i);
              require(queues[i % 2]->tx_burst(&packet, 1, 0) == 1, "not sent");
              Packet* received = nullptr;
              require(queues[1 - i % 2]->rx_burst(&received, 1, 0) == 0, "it came to the other queue");
              require(queues[i % 2]->rx_burst(&received, 1, 0) == 1 && load_be32(received->data) == i, "not received");
              require(received->arrival == i / 2, "not numbered by its queue");
              pools[i % 2].tx.release(received);
            }
          }
          for (Pools& each : pools) each.require_full();
        }) == "");
}

TEST_CASE("a device that can be told has our key and table of RSS") {
  CHECK(in_child([] {
          start_as_nobody();
          Pools pools[2] = {Pools(), Pools(Pools::kRx, 0, "2")};
          RssConfig rss;
          for (uint32_t i = 0; i < rss.key.size(); ++i) rss.key[i] = static_cast<uint8_t>(3 * i + 1);
          for (uint32_t i = 0; i < rss.table.size(); ++i) rss.table[i] = i % 3 == 0;
          DpdkPort port({.device = "net_null0,no-rx=1", .rss = rss}, {&pools[0].rx, &pools[1].rx});
          require(port.queues().size() == 2 && port.has_rss(), "no RSS");
          uint16_t number = 0;
          rte_eth_dev_info info{};
          require(rte_eth_dev_get_port_by_name("net_null0", &number) == 0 && rte_eth_dev_info_get(number, &info) == 0, "no device");
          std::vector<rte_eth_rss_reta_entry64> parts(info.reta_size / RTE_ETH_RETA_GROUP_SIZE);
          for (auto& part : parts) part.mask = ~uint64_t{0};
          require(rte_eth_dev_rss_reta_query(number, parts.data(), info.reta_size) == 0, "no table");
          for (uint32_t i = 0; i < info.reta_size; ++i) {
            require(parts[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] == rss.table[i % rss.table.size()], "another table");
          }
          std::array<uint8_t, 40> key{};
          rte_eth_rss_conf conf{key.data(), key.size(), 0};
          require(rte_eth_dev_rss_hash_conf_get(number, &conf) == 0 && key == rss.key, "another key");
        }) == "");
}

TEST_CASE("memif between two unprivileged processes moves 100,000 frames in order and loses no packet") {
  SocketFolder folder;
  const std::string socket = folder.path + "/memif";
  Child receiver([&] { memif_receiver(socket); });
  Child sender([&] { memif_sender(socket); });
  CHECK(sender.result() == "");
  CHECK(receiver.result() == "");
}

TEST_CASE("a memif server survives clients that are killed at full load, and serves the next one") {
  SocketFolder folder;
  const std::string socket = folder.path + "/memif";
  Shared* const shared = Shared::make();
  Child server([&] { memif_echo_server(socket, *shared); });
  for (int round = 0; round < kKills; ++round) {
    const uint32_t before = shared->echoed;
    Child client([&] {
      memif_flood(socket);
      kill(getpid(), SIGKILL);
    });
    CHECK(client.result() == " (ended with status 9)");
    CHECK(shared->echoed > before);
  }
  shared->stop = true;
  CHECK(server.result() == "");
  munmap(shared, sizeof(Shared));
}

TEST_CASE("a memif server survives strangers that connect and are gone at once, and serves its client meanwhile") {
  SocketFolder folder;
  const std::string socket = folder.path + "/memif";
  Shared* const shared = Shared::make();
  Child server([&] { memif_echo_server(socket, *shared); });
  Child client([&] { memif_patient_client(socket, *shared); });
  CHECK(shared->wait_for_more(100));
  const uint32_t before = shared->heard;
  CHECK(knock(socket, kKnocks) == kKnocks);
  CHECK(shared->wait_for_more(before + 100));
  shared->stop = true;
  CHECK(client.result() == "");
  CHECK(server.result() == "");
  munmap(shared, sizeof(Shared));
}

TEST_CASE("a memif client that is there first waits for its server, and finds the next one after it was killed") {
  SocketFolder folder;
  const std::string socket = folder.path + "/memif";
  Shared* const shared = Shared::make();
  Child client([&] { memif_patient_client(socket, *shared); });
  for (int round = 0; round < 3; ++round) {
    const uint32_t before = shared->heard;
    Child server([&] { memif_echo_server(socket, *shared); });
    CHECK(shared->wait_for_more(before + 100));
    server.kill_it();
    CHECK(server.result() == " (ended with status 9)");
  }
  shared->stop = true;
  CHECK(client.result() == "");
  munmap(shared, sizeof(Shared));
}

TEST_CASE("the kernel's ping is answered through a tap device") {
  if (!can_make_networks()) return;
  CHECK(in_child([] {
          answer_ping(tap_device(0, "qtap0"), "", "ip addr add 10.99.0.1/24 dev qtap0 && ip link set qtap0 up");
        }) == "");
}

TEST_CASE("the kernel's ping is answered through af_packet on a veth pair") {
  if (!can_make_networks()) return;
  CHECK(in_child([] {
          answer_ping(af_packet_device(0, "qv1"),
                      "ip link add qv0 type veth peer name qv1 && ip link set qv1 up && ip link set qv0 up",
                      "ip addr add 10.99.0.1/24 dev qv0");
        }) == "");
}

TEST_CASE("the kernel's ping is answered through af_xdp on a veth pair") {
  if (!can_make_networks()) return;
  if (socket(AF_XDP, SOCK_RAW, 0) < 0) {
    MESSAGE("skipped: this kernel has no AF_XDP sockets");
    return;
  }
  CHECK(in_child([] {
          answer_ping(af_xdp_device(0, "qv1"),
                      "ip link add qv0 type veth peer name qv1 && ip link set qv1 up && ip link set qv0 up",
                      "ip addr add 10.99.0.1/24 dev qv0", 4096);
        }) == "");
}

TEST_CASE("the kernel's ping is answered through pcap, live on a veth pair") {
  if (!can_make_networks()) return;
  CHECK(in_child([] {
          answer_ping(pcap_device(0, "qv1"),
                      "ip link add qv0 type veth peer name qv1 && ip link set qv1 up && ip link set qv0 up",
                      "ip addr add 10.99.0.1/24 dev qv0");
        }) == "");
}

TEST_CASE("frames written to a pcap file are read from it as they were, without any privilege") {
  SocketFolder folder;
  CHECK(in_child([&] { pcap_there_and_back(folder.path + "/frames.pcap"); }) == "");
}

TEST_CASE("a pcap file that is none is refused with libpcap's own words") {
  SocketFolder folder;
  const std::string file = folder.path + "/none.pcap";
  std::ofstream(file) << "this is no capture at all";
  CHECK(in_child([&] {
          start_as_nobody();
          Pools pools;
          require_mentions(message_of([&] { DpdkPort({.device = pcap_device(0, "rx=" + file)}, pools.rx); }),
                           "unknown file format");
        }) == "");
}
