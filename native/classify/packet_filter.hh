// PacketFilter: a pcap-filter expression, compiled once by libpcap and run by libpcap's own interpreter.
//
// In: an expression (pcap-filter(7)), then frames. Out: whether a frame is accepted. Invariant: nothing outside the frame
// is read. Names of hosts and networks would be looked up by libpcap while it compiles: addresses are not.
// DPDK's translation of such programs (librte_bpf) is no replacement: it gets tcp[…] wrong.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace qstack {

class PacketFilter {
 public:
  /// For Ethernet frames. The error text is libpcap's.
  static std::variant<PacketFilter, std::string> compile(const std::string& expression);

  bool accepts(const uint8_t* frame, uint32_t length) const;

 private:
  /// As struct bpf_insn, whose header would bring a hundred macros along.
  struct Instruction {
    uint16_t code;
    uint8_t jump_true;
    uint8_t jump_false;
    uint32_t operand;
  };

  std::vector<Instruction> program_;
};

}  // namespace qstack
