// MirrorPort: a port that copies the first bytes of each frame that another port receives and sends to a second port, with the
// time at which that was. A monitor reads them there (docs/monitor.md 9).
//
// In and out: as the port inside. To the mirror: the records of a burst in as few packets as hold them, see MirrorHead. Invariant:
// a mirror that is slow or away costs records, never a frame and never a wait. Where nobody reads, nothing is copied.
#pragma once

#include <array>

#include "native/port/port.hh"

namespace qstack {

enum class MirrorWay : uint8_t { received = 0, sent = 1 };

/// The first 32 bytes of a packet of records, little-endian but for `type`. It begins as a frame of Ethernet does, so that any
/// device carries it. All its records are of one burst.
struct MirrorHead {
  static constexpr uint8_t kVersion = 2;
  /// IEEE's EtherType for local experiments, 0x88b5, as it stands on the wire.
  static constexpr uint16_t kType = 0xb588;

  uint8_t destination[6];
  uint8_t source[6];
  uint16_t type;
  uint8_t version;
  MirrorWay way;
  uint16_t records;   ///< that follow, without a gap
  uint16_t reserved;
  uint32_t dropped;   ///< records that found no room before these, modulo 2^32
  uint64_t time;      ///< nanoseconds since the epoch: received: when it was polled; sent: when it was given to the port
};
static_assert(sizeof(MirrorHead) == 32);

/// One frame; its first `kept` bytes follow.
struct MirrorRecord {
  uint16_t length;  ///< of the whole frame
  uint16_t kept;
};
static_assert(sizeof(MirrorRecord) == 4);

/// Of a packet of records: what an Ethernet device carries.
inline constexpr uint32_t kMirrorPacketMax = 1'514;
/// Bytes of a frame that a record has room for.
inline constexpr uint32_t kMirrorSnapMax = 1'468;
static_assert(sizeof(MirrorHead) + sizeof(MirrorRecord) + kMirrorSnapMax <= kMirrorPacketMax);

struct MirrorCounts {
  uint64_t records = 0;
  uint64_t dropped = 0;  ///< the reader was too slow
};

class MirrorPort final : public Port {
 public:
  /// Nanoseconds since the epoch; asked once a burst.
  using Clock = Nanos();

  /// `pool` is the mirror's own. `snap` bytes of a frame are copied. All outlive this.
  MirrorPort(Port& inside, Port& mirror, PacketPool& pool, uint32_t snap, Clock* clock);

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override;
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override;
  MacAddress mac() const override { return inside_.mac(); }
  uint16_t mtu() const override { return inside_.mtu(); }
  bool link_up() override { return inside_.link_up(); }
  int wake_fd() const override { return inside_.wake_fd(); }
  void arm() override { inside_.arm(); }
  void disarm() override { inside_.disarm(); }

  const MirrorCounts& counts() const { return counts_; }

 private:
  static constexpr uint32_t kBurst = 64;

  /// Packets of records that are not given away yet.
  struct Batch {
    MirrorWay way;
    uint64_t time;
    uint32_t count = 0;
    uint32_t records = 0;
    std::array<Packet*, kBurst> packets;
  };

  void copy(Packet* const* frames, uint32_t n, Batch& batch);
  bool open(Batch& batch);
  void keep(Batch& batch, uint32_t records);
  void give(Batch& batch, uint32_t wanted, Nanos now);

  Port& inside_;
  Port& mirror_;
  PacketPool& pool_;
  uint32_t snap_;
  Clock* clock_;
  MirrorCounts counts_;
};

}  // namespace qstack
