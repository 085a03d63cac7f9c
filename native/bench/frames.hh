// FrameEcho and FrameLoad: raw frames there and back over a port, without IP or TCP: what the ends of TCP are divided by.
//
// In: a port and its pools. Out: FrameLoad: frames that came back in a window. `window` frames are under way at a time.
#pragma once

#include "native/bench/window.hh"
#include "native/port/port.hh"

namespace qstack::bench {

/// Sends every frame back to where it came from, in the packet in which it came.
class FrameEcho {
 public:
  explicit FrameEcho(Port& port) : port_(port) {}
  uint32_t turn(Nanos now);

 private:
  static constexpr uint32_t kBurst = 64;

  Port& port_;
  Packet* packets_[kBurst];
  uint32_t first_ = 0, last_ = 0;  ///< of packets_: those that the port has not taken yet
};

struct FrameLoadConfig {
  uint32_t under_way = 512;
  uint16_t length = 254;  ///< of a frame: 200 bytes of payload behind the headers that TCP would have
  Nanos warm_up = 0, window = 0;
};

class FrameLoad {
 public:
  FrameLoad(const FrameLoadConfig& config, Port& port, PacketPool& rx, PacketPool& tx)
      : config_(config), port_(port), rx_(rx), tx_(tx), window_(config.warm_up, config.window) {}
  uint32_t turn(Nanos now);
  bool done() const { return window_.over(); }
  const Window& window() const { return window_; }

 private:
  uint32_t send(Nanos now);

  FrameLoadConfig config_;
  Port& port_;
  PacketPool& rx_;
  PacketPool& tx_;
  Window window_;
  uint32_t under_way_ = 0;
  uint64_t returned_ = 0;
  Nanos heard_ = 0;  ///< when the last frame came back
};

}  // namespace qstack::bench
