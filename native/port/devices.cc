#include "native/port/devices.hh"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "native/mempool/packet_pool.hh"
#include "native/port/memif_door.hh"

namespace qstack {

namespace {

std::string text(const MacAddress& mac) {
  char buffer[18];
  snprintf(buffer, sizeof(buffer), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return buffer;
}

void check_word(const std::string& word, size_t length_max, const char* what) {
  if (word.empty() || word.size() > length_max || word.find_first_of(", \"[]=") != std::string::npos) {
    throw std::invalid_argument(std::string(what) + " \"" + word + "\" should have 1 to " + std::to_string(length_max) +
                                " characters and no comma, space, quote, bracket or equals sign");
  }
}

/// sun_path takes 108 bytes with its final zero, and the socket behind a server's door has one more than the door.
void check_socket(const std::string& socket) { check_word(socket, 106, "memif socket"); }

void check_interface(const std::string& interface) { check_word(interface, 15, "interface"); }

/// Whether somebody listens, by the kernel's table of unix sockets: a connection would be a client that the other server
/// has to let in and out again.
bool listens(const std::string& path) {
  constexpr unsigned long kAccepts = 0x10000;  // __SO_ACCEPTCON
  std::ifstream table("/proc/net/unix");
  if (!table) return true;
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string number, references, protocol, flags, type, state, inode, name;
    fields >> number >> references >> protocol >> flags >> type >> state >> inode >> std::ws;
    std::getline(fields, name);
    if (name == path && (std::strtoul(flags.c_str(), nullptr, 16) & kAccepts) != 0) return true;
  }
  return false;
}

/// One of rx=FILE and tx=FILE, in DPDK's words.
std::string pcap_file(const std::string& word) {
  const std::string way = word.substr(0, 3);
  if (way != "rx=" && way != "tx=") {
    throw std::invalid_argument("pcap: \"" + word + "\" should be rx=FILE or tx=FILE");
  }
  check_word(word.substr(3), PATH_MAX, "pcap file");
  return "," + word.substr(0, 2) + "_pcap=" + word.substr(3);
}

void make_private_folder(const std::filesystem::path& folder) {
  if (folder.empty() || mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return;
  throw std::runtime_error("memif: the folder " + folder.string() + " cannot be made: " + std::strerror(errno));
}

/// Where the value of `name` stands in a device string, or npos.
size_t value_at(const std::string& device, const std::string& name) {
  const size_t at = device.find("," + name + "=");
  return at == std::string::npos ? at : at + name.size() + 2;
}

std::string value_of(const std::string& device, const std::string& name) {
  const size_t at = value_at(device, name);
  return at == std::string::npos ? "" : device.substr(at, device.find(',', at) - at);
}

void remove_stale(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) throw std::runtime_error("memif: " + path + " exists and is not a socket");
  if (listens(path)) throw std::runtime_error("memif: another server listens on " + path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw std::runtime_error("memif: the stale socket " + path + " cannot be removed: " + std::strerror(errno));
  }
}

std::string dpdk_memif(const std::string& text, uint32_t number, const MacAddress& mac) {
  const size_t question = text.find('?');
  const std::string role = question == std::string::npos ? "client" : text.substr(question + 1);
  MemifOptions options{.socket = text.substr(0, question), .number = number, .mac = mac};
  if (role == "role=server" || role == "server") {
    options.role = MemifRole::server;
  } else if (role != "role=client" && role != "client") {
    throw std::invalid_argument("memif: \"" + role + "\", but role=server or role=client is expected");
  }
  prepare_memif_socket(options);
  return memif_device(options);
}

}  // namespace

std::string dpdk_device(const std::string& device, uint32_t number, const MacAddress& mac) {
  if (device.starts_with("memif:")) return dpdk_memif(device.substr(6), number, mac);
  if (device.starts_with("tap:")) return tap_device(number, device.substr(4));
  if (device.starts_with("af_packet:")) return af_packet_device(number, device.substr(10));
  if (device.starts_with("af_xdp:")) return af_xdp_device(number, device.substr(7));
  if (device.starts_with("pcap:")) return pcap_device(number, device.substr(5));
  return device;
}

std::string memif_device(const MemifOptions& options) {
  check_socket(options.socket);
  std::string device = "net_memif" + std::to_string(options.number);
  device += options.role == MemifRole::server ? ",role=server" : ",role=client";
  device += ",id=" + std::to_string(options.id) + ",socket=" + options.socket + ",socket-abstract=no";
  device += ",rsize=" + std::to_string(options.ring_log2) + ",bsize=" + std::to_string(options.buffer_size);
  if (options.mac != MacAddress{}) device += ",mac=" + text(options.mac);
  return device;
}

std::string memif_door_path(const std::string& device) {
  const bool server = device.starts_with("net_memif") && value_of(device, "role") == "server";
  return server && value_of(device, "socket-abstract") == "no" ? value_of(device, "socket") : "";
}

std::string memif_behind_door(const std::string& device) {
  const std::string path = memif_door_path(device);
  if (path.empty()) return device;
  return std::string(device).replace(value_at(device, "socket"), path.size(), MemifDoor::behind(path));
}

void prepare_memif_socket(const MemifOptions& options) {
  check_socket(options.socket);
  make_private_folder(std::filesystem::path(options.socket).parent_path());
  if (options.role == MemifRole::server) remove_stale(options.socket);
}

std::string tap_device(uint32_t number, const std::string& interface) {
  check_interface(interface);
  return "net_tap" + std::to_string(number) + ",iface=" + interface;
}

std::string af_packet_device(uint32_t number, const std::string& interface) {
  check_interface(interface);
  // Frames of DPDK's default size would not fit into our packets; a block is a whole number of pages and of frames.
  static_assert(kRoom == 1664 && 13 * 4096 % kRoom == 0);
  return "net_af_packet" + std::to_string(number) + ",iface=" + interface + ",framesz=" + std::to_string(kRoom) +
         ",blocksz=" + std::to_string(13 * 4096) + ",framecnt=1024";
}

uint32_t extra_room(const std::string& device) {
  // XDP_PACKET_HEADROOM: the kernel puts a frame so many bytes behind our headroom, and drops what no longer fits.
  return device.starts_with("af_xdp:") || device.starts_with("net_af_xdp") ? 256 : 0;
}

uint16_t usual_ring_size(const std::string& device) {
  // memif's ring is the queue between two processes: as long as it can be.
  if (device.starts_with("net_memif")) return 1u << 14;
  // As many frames as its driver has given to the kernel: a shorter ring would drop some that have a buffer.
  return device.starts_with("net_af_xdp") ? 2048 : 1024;
}

std::string af_xdp_device(uint32_t number, const std::string& interface) {
  check_interface(interface);
  return "net_af_xdp" + std::to_string(number) + ",iface=" + interface;
}

std::string pcap_device(uint32_t number, const std::string& text) {
  std::string device = "net_pcap" + std::to_string(number);
  if (text.find('=') == std::string::npos) {
    check_interface(text);
    // Of one handle for both ways libpcap would bring back what we send.
    return device + ",rx_iface_in=" + text + ",tx_iface=" + text;
  }
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) device += pcap_file(word);
  return device;
}

}  // namespace qstack
