// PairPort: a port in memory. Two of them make a wire without DPDK, without threads and without time of its own.
//
// In: frames sent here are copied and wait, in order, until the peer polls; polling copies them into the poller's own
// RX pool. Out: nothing is lost: a full wire takes no more, an empty pool leaves the frames waiting. Tests take frames
// off the wire (take) and put their own on it (inject). Without a peer, take is the only way out. The sender's packets
// are released to the TX pool given here, as a device would after it has sent them.
#pragma once

#include <algorithm>
#include <cassert>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "native/port/port.hh"

namespace qstack {

class PairPort final : public Port {
 public:
  using Frame = std::vector<uint8_t>;

  /// `rx` gives packets for received frames, `tx` gets the sent ones back. `capacity` bounds the frames in each
  /// direction.
  PairPort(PacketPool& rx, PacketPool& tx, const MacAddress& mac, uint32_t capacity = 4096, uint16_t mtu = 1500)
      : rx_(rx), tx_(tx), mac_(mac), capacity_(capacity), mtu_(mtu) {}
  PairPort(const PairPort&) = delete;
  PairPort& operator=(const PairPort&) = delete;

  /// Joins two ports that live equally long.
  static void connect(PairPort& a, PairPort& b) {
    a.peer_ = &b;
    b.peer_ = &a;
  }

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override {
    if (peer_ != nullptr) accept_from(*peer_);
    uint32_t count = 0;
    while (count < n && !in_.empty()) {
      Packet* const packet = rx_.allocate();
      if (packet == nullptr) break;
      receive(packet, in_.front(), now);
      in_.pop_front();
      out[count++] = packet;
    }
    return count;
  }

  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos) override {
    uint32_t count = 0;
    while (count < n && out_.size() < capacity_ && link_up_) {
      Packet* const packet = packets[count++];
      out_.emplace_back(packet->data, packet->data + packet->length);
      tx_.release(packet);
    }
    return count;
  }

  MacAddress mac() const override { return mac_; }
  uint16_t mtu() const override { return mtu_; }
  bool link_up() override { return link_up_; }

  /// The oldest frame that was sent here and that the peer has not polled yet.
  std::optional<Frame> take() {
    if (out_.empty()) return std::nullopt;
    Frame frame = std::move(out_.front());
    out_.pop_front();
    return frame;
  }

  /// Puts a frame before this port's receiver, behind those that wait there already. Longer than kRoom is a test's
  /// fault.
  void inject(std::span<const uint8_t> frame) {
    assert(frame.size() <= kRoom);
    if (peer_ != nullptr) accept_from(*peer_);
    in_.emplace_back(frame.begin(), frame.end());
  }

  /// Frames sent here and not yet taken or polled.
  size_t sent() const { return out_.size(); }
  /// Frames that wait for this port's rx_burst.
  size_t waiting() const { return in_.size() + (peer_ == nullptr ? 0 : peer_->out_.size()); }
  void set_link(bool up) { link_up_ = up; }

 private:
  /// The far end's frames move over when this side looks, so that take() finds them until then.
  void accept_from(PairPort& sender) {
    while (!sender.out_.empty() && in_.size() < capacity_) {
      in_.push_back(std::move(sender.out_.front()));
      sender.out_.pop_front();
    }
  }

  void receive(Packet* packet, const Frame& frame, Nanos now) {
    std::copy(frame.begin(), frame.end(), packet->data);
    packet->length = static_cast<uint16_t>(frame.size());
    packet->arrival = arrival_++;
    packet->rx_stamp = to_stamp(now);
  }

  PacketPool& rx_;
  PacketPool& tx_;
  MacAddress mac_;
  uint32_t capacity_;
  uint16_t mtu_;
  bool link_up_ = true;
  uint32_t arrival_ = 0;
  PairPort* peer_ = nullptr;
  std::deque<Frame> in_;   ///< on their way into rx_burst
  std::deque<Frame> out_;  ///< sent, not yet seen by the peer
};

}  // namespace qstack
