#include "native/classify/packet_filter.hh"

#include <pcap/pcap.h>

#include <memory>

namespace qstack {

namespace {

/// As long as any frame: filters never cut what they accept.
constexpr int kSnapLength = 65'535;

}  // namespace

std::variant<PacketFilter, std::string> PacketFilter::compile(const std::string& expression) {
  static_assert(sizeof(Instruction) == sizeof(bpf_insn) && alignof(Instruction) == alignof(bpf_insn));
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> handle(pcap_open_dead(DLT_EN10MB, kSnapLength), pcap_close);
  if (handle == nullptr) return std::string("libpcap has no memory left");
  bpf_program program{};
  if (pcap_compile(handle.get(), &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return std::string(pcap_geterr(handle.get()));
  }
  PacketFilter filter;
  filter.program_.reserve(program.bf_len);
  for (u_int i = 0; i < program.bf_len; ++i) {
    const bpf_insn& from = program.bf_insns[i];
    filter.program_.push_back({from.code, from.jt, from.jf, from.k});
  }
  pcap_freecode(&program);
  return filter;
}

bool PacketFilter::accepts(const uint8_t* frame, uint32_t length) const {
  return bpf_filter(reinterpret_cast<const bpf_insn*>(program_.data()), frame, length, length) != 0;
}

}  // namespace qstack
