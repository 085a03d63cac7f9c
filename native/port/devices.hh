// Device strings for DpdkPort, and what has to be done in the file system before.
//
// In: choices in our words. Out: DPDK's words. Choices that DPDK would misread (a comma in a path) are refused with a
// std::invalid_argument. Nothing here needs EAL.
#pragma once

#include <cstdint>
#include <string>

#include "native/mempool/packet_pool.hh"
#include "native/wire/mac.hh"

namespace qstack {

enum class MemifRole : uint8_t { server, client };

struct MemifOptions {
  MemifRole role = MemifRole::client;
  std::string socket;            ///< path; server and client name the same
  uint32_t number = 0;           ///< of the device in this process: net_memif<number>
  uint32_t id = 0;               ///< of the connection on this socket; server and client name the same
  uint8_t ring_log2 = 11;        ///< frames that wait in it wait without levels; DPDK's largest is 14
  uint16_t buffer_size = kRoom;  ///< a frame never takes two buffers, on either side
  MacAddress mac{};
};

/// Copy mode, one ring per direction. The peer's memory is trusted to be sane: never share a socket across users.
std::string memif_device(const MemifOptions& options);

/// The socket that clients of this device come to, when it is a memif server; else "", and for an abstract socket, too:
/// whoever asks DPDK for one is on his own.
std::string memif_door_path(const std::string& device);
/// The same device with DPDK's socket behind that door (memif_door.hh).
std::string memif_behind_door(const std::string& device);

/// Makes the socket's folder (mode 0700) and, for a server, removes a socket that nobody listens on any more.
/// Throws std::runtime_error when somebody does, or the folder cannot be made.
void prepare_memif_socket(const MemifOptions& options);

/// A network device of the kernel, made here: frames that the kernel sends into `interface` arrive. Needs
/// CAP_NET_ADMIN.
std::string tap_device(uint32_t number, const std::string& interface);

/// Raw frames of an existing interface (veth). Needs CAP_NET_RAW. The sender's checksum offload has to be off.
std::string af_packet_device(uint32_t number, const std::string& interface);

/// Bytes that frames of this device, in our words or DPDK's, need behind the room of a packet.
uint32_t extra_room(const std::string& device);

/// Descriptors of a queue that suit this device, in DPDK's words.
uint16_t usual_ring_size(const std::string& device);

/// Raw frames of an existing interface by an AF_XDP socket: its first receive queue. Needs CAP_NET_ADMIN, CAP_NET_RAW,
/// CAP_IPC_LOCK and CAP_SYS_ADMIN. The driver keeps 2,048 RX packets with the kernel, and as many again for what it sends.
std::string af_xdp_device(uint32_t number, const std::string& interface);

/// Frames by libpcap: "rx=FILE,tx=FILE" reads the one and writes the other (either may be left out), "INTERFACE" is live
/// (needs CAP_NET_RAW).
std::string pcap_device(uint32_t number, const std::string& text);

/// What a person writes, in DPDK's words: "memif:PATH" (client), "memif:PATH?role=server", "tap:NAME",
/// "af_packet:INTERFACE", "af_xdp:INTERFACE", "pcap:…"; anything else stays as it is. Prepares a memif socket. `number` is the device's in this process.
/// Throws std::invalid_argument or std::runtime_error.
std::string dpdk_device(const std::string& device, uint32_t number, const MacAddress& mac);

/// A locally administered MAC that differs as long as the addresses do.
constexpr MacAddress derive_mac(uint32_t address) {
  return {0x02,
          0x71,
          static_cast<uint8_t>(address >> 24),
          static_cast<uint8_t>(address >> 16),
          static_cast<uint8_t>(address >> 8),
          static_cast<uint8_t>(address)};
}

}  // namespace qstack
