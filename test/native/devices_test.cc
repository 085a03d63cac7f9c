#include "native/port/devices.hh"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

using namespace qstack;

namespace {

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/qstack-devices-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

/// A socket as a memif server leaves it: bound, and listening as long as the descriptor lives.
int listen_at(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  REQUIRE(listen(fd, 1) == 0);
  return fd;
}

}  // namespace

TEST_CASE("a memif device says its role, socket, ring and MAC in DPDK's words") {
  const MemifOptions options{
      .role = MemifRole::server, .socket = "/tmp/q/s", .number = 2, .id = 5, .mac = derive_mac(0x0a000001)};
  CHECK(memif_device(options) ==
        "net_memif2,role=server,id=5,socket=/tmp/q/s,socket-abstract=no,rsize=11,bsize=1664,mac=02:71:0a:00:00:01");
}

TEST_CASE("a ring is as long as what its device queues in it") {
  CHECK(usual_ring_size("net_memif0,role=server") == 16384);
  CHECK(usual_ring_size("net_af_xdp1,iface=x") == 2048);
  CHECK(usual_ring_size("net_tap0,iface=x") == 1024);
  CHECK(usual_ring_size("0000:03:00.0") == 1024);
}

TEST_CASE("words that DPDK would misread are refused") {
  CHECK_THROWS_AS(memif_device({.socket = "/tmp/a,b"}), std::invalid_argument);
  CHECK_THROWS_AS(memif_device({.socket = ""}), std::invalid_argument);
  CHECK_THROWS_AS(memif_device({.socket = std::string(107, 'x')}), std::invalid_argument);
  CHECK_THROWS_AS(tap_device(0, "sixteen-letters-"), std::invalid_argument);
  CHECK_THROWS_AS(af_packet_device(0, "v0,qpairs=2"), std::invalid_argument);
  CHECK_THROWS_AS(af_xdp_device(0, "v0,start_queue=1"), std::invalid_argument);
  CHECK_THROWS_AS(pcap_device(0, "rx=/tmp/a b"), std::invalid_argument);
  CHECK_THROWS_AS(pcap_device(0, "rx=/tmp/a,infinite_rx=1"), std::invalid_argument);
  CHECK_THROWS_AS(pcap_device(0, "rx="), std::invalid_argument);
  CHECK_THROWS_AS(pcap_device(0, ""), std::invalid_argument);
  CHECK(tap_device(1, "q0") == "net_tap1,iface=q0");
  CHECK(af_packet_device(0, "v0") == "net_af_packet0,iface=v0,framesz=1664,blocksz=53248,framecnt=1024");
  CHECK(af_xdp_device(2, "v0") == "net_af_xdp2,iface=v0");
  CHECK(extra_room("af_xdp:v0") == extra_room(af_xdp_device(2, "v0")));
  CHECK(extra_room("af_xdp:v0") == 256);
  CHECK(extra_room("af_packet:v0") == 0);
  CHECK(pcap_device(0, "rx=/tmp/a.pcap,tx=b.pcap") == "net_pcap0,rx_pcap=/tmp/a.pcap,tx_pcap=b.pcap");
  CHECK(pcap_device(1, "tx=b.pcap") == "net_pcap1,tx_pcap=b.pcap");
  CHECK(pcap_device(3, "v0") == "net_pcap3,rx_iface_in=v0,tx_iface=v0");
}

TEST_CASE("a memif server's clients come to its door, and DPDK listens behind it") {
  const std::string server = memif_device({.role = MemifRole::server, .socket = "/tmp/q/s"});
  CHECK(memif_door_path(server) == "/tmp/q/s");
  CHECK(memif_behind_door(server) ==
        "net_memif0,role=server,id=0,socket=/tmp/q/s~,socket-abstract=no,rsize=11,bsize=1664");
  const std::string others[] = {memif_device({.socket = "/tmp/q/s"}), "net_memif0,role=server,socket=/tmp/q/s",
                                "net_memif0,role=server,socket-abstract=no", tap_device(0, "q0"), "net_null0"};
  for (const std::string& device : others) {
    CHECK(memif_door_path(device) == "");
    CHECK(memif_behind_door(device) == device);
  }
}

TEST_CASE("derived MACs are locally administered, of one station, and differ") {
  CHECK((derive_mac(0x0a000001)[0] & 3) == 2);
  CHECK(derive_mac(0x0a000001) != derive_mac(0x0a000002));
}

TEST_CASE("the socket's folder is made for this user alone") {
  Folder folder;
  prepare_memif_socket({.role = MemifRole::client, .socket = folder.path + "/inner/memif"});
  struct stat status {};
  REQUIRE(stat((folder.path + "/inner").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  CHECK_THROWS_AS(prepare_memif_socket({.socket = folder.path + "/no/such/memif"}), std::runtime_error);
}

TEST_CASE("a server removes a socket that nobody listens on, and leaves one in use alone") {
  Folder folder;
  const std::string path = folder.path + "/memif";
  const int fd = listen_at(path);
  CHECK_THROWS_AS(prepare_memif_socket({.role = MemifRole::server, .socket = path}), std::runtime_error);
  CHECK(std::filesystem::exists(path));
  close(fd);
  prepare_memif_socket({.role = MemifRole::client, .socket = path});
  CHECK(std::filesystem::exists(path));
  prepare_memif_socket({.role = MemifRole::server, .socket = path});
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a file that is no socket is not removed") {
  Folder folder;
  const std::string path = folder.path + "/memif";
  std::ofstream(path) << "precious";
  CHECK_THROWS_AS(prepare_memif_socket({.role = MemifRole::server, .socket = path}), std::runtime_error);
  CHECK(std::filesystem::exists(path));
}
