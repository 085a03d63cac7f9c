// Frames that a server's mirror port tells of (native/port/mirror_port.hh), over memif.
// In: packets of records. Out: the frames' bytes with the times that the server gave them. Records of another version are refused. A server
// may come later, go, and be followed by another one.
#pragma once

#include "native/monitor/source.hh"
#include "native/port/port.hh"

namespace qstack::monitor {

class MirrorSource final : public Source {
 public:
  MirrorSource(Port& port, PacketPool& rx) : port_(port), rx_(rx) {}
  int read(const FrameSink& sink) override;
  bool rest(int got) override;
  bool connected() override { return port_.link_up(); }
  /// What servers had no room for, each since we read its first record.
  uint64_t missed() override { return missed_; }

 private:
  static constexpr int kBurst = 64;

  void tell(std::span<const uint8_t> bytes, const FrameSink& sink);
  void count_missed(uint32_t dropped);

  Port& port_;
  PacketPool& rx_;
  bool begun_ = false;    ///< records of the present server were read
  uint32_t dropped_ = 0;  ///< as the last of them say
  uint64_t missed_ = 0;
};

}  // namespace qstack::monitor
