// Frames of a device, as a port of the stack has them: a NIC that faces a mirroring switch, memif, tap. Nothing is ever sent.
// Their time is that of the burst in which they were polled.
#pragma once

#include <functional>

#include "native/monitor/source.hh"
#include "native/port/port.hh"

namespace qstack::monitor {

class PortSource final : public Source {
 public:
  /// `missed`: what the device had no room for.
  PortSource(Port& port, PacketPool& rx, std::function<uint64_t()> missed)
      : port_(port), rx_(rx), missed_(std::move(missed)) {}
  int read(const FrameSink& sink) override;
  bool rest(int got) override;
  uint64_t missed() override { return missed_(); }

 private:
  Port& port_;
  PacketPool& rx_;
  std::function<uint64_t()> missed_;
};

}  // namespace qstack::monitor
