// Monitor: a capture thread that reads a source, and shards that match what it has read. Each connection belongs to one shard.
//
//   source ▸ capture: read, parse, hash ══ SnapshotRing ══▶ shard k: Matcher ▸ ticks ══▶ take()
//
// In: a source. Out: ticks of all shards, in the time of the capture. A live source whose shard is slow loses frames, and
// they are counted; a file waits. Control calls come from one thread.
#pragma once

#include <pthread.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "native/monitor/matcher.hh"
#include "native/monitor/snapshot_ring.hh"
#include "native/monitor/source.hh"

namespace qstack::monitor {

struct CaptureCounts {
  uint64_t frames = 0, bytes = 0;
  uint64_t not_tcp = 0, fragments = 0, cut = 0, other_ports = 0;
  uint64_t missed = 0;     ///< by the device or the kernel
  uint64_t dropped = 0;    ///< by us: a shard's ring was full
  uint64_t first_ns = 0, last_ns = 0;  ///< of frames, since the epoch
  uint64_t gap_max_ns = 0;  ///< the longest time between two looks at the source
};

struct Taken {
  std::vector<Tick> ticks;
  CaptureCounts capture;
  bool opened = false;    ///< frames are looked at from now on
  bool connected = false; ///< the source's other end is there
  bool ended = false;     ///< nothing will follow
  std::string fault;      ///< why it ended, if not well
};

struct ThreadHooks {
  std::function<void()> on_start = [] {}, on_stop = [] {};
};

class Monitor {
 public:
  Monitor(const MonitorConfig& config, std::unique_ptr<Source> source, const std::array<uint64_t, 2>& secret,
          ThreadHooks capture_hooks = {});
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// What has become ready since the last call.
  Taken take();
  /// The capture ends soon; take() says when all is counted.
  void stop();

 private:
  struct Shard {
    Shard(const MonitorConfig& config) : ring(config.ring, config.snapshot), matcher(config.match, config.snapshot) {}
    SnapshotRing ring;
    Matcher matcher;
    std::mutex mutex;  ///< of ready; held for a moment once a tick
    std::vector<Tick> ready;
    std::atomic<bool> over{false};
    std::thread thread;
  };

  void wake();
  void capture();
  void capture_frames();
  void frame(Nanos time, uint32_t length, Bytes bytes);
  void tell(SnapshotKind kind, uint64_t number);
  void advance(Nanos time);
  Snapshot* claim(Shard& shard);
  void publish();
  void publish_counts();
  void match(Shard& shard);

  const MonitorConfig config_;
  const std::array<uint64_t, 2> secret_;
  const ThreadHooks hooks_;
  std::unique_ptr<Source> source_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::thread capture_thread_;
  std::atomic<bool> stop_{false}, opened_{false}, connected_{false}, captured_{false};
  std::atomic<Nanos> start_{0};  ///< of tick 0
  uint64_t tick_ = 0;            ///< the capture's
  Nanos looked_ = 0;
  CaptureCounts counts_;  ///< the capture's own
  std::mutex mutex_;      ///< of what follows
  CaptureCounts shown_;
  std::string fault_;
};

}  // namespace qstack::monitor
