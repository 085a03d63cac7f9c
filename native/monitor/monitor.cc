#include "native/monitor/monitor.hh"

#include <csignal>
#include <cstring>
#include <ctime>

namespace qstack::monitor {
namespace {

/// Wakes a thread that reads from a pipe on which nothing comes: its read ends with EINTR.
constexpr int kWake = SIGURG;

/// Of a shard that has nothing to do: a frame is stamped already, and its ring holds thousands.
constexpr long kShardNap = 300'000;

void nap(long ns) {
  const timespec t{0, ns};
  nanosleep(&t, nullptr);
}

void name_thread(const std::string& name) { pthread_setname_np(pthread_self(), name.c_str()); }

}  // namespace

Nanos wall_clock() {
  timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return static_cast<Nanos>(t.tv_sec) * kSecond + static_cast<Nanos>(t.tv_nsec);
}

Monitor::Monitor(const MonitorConfig& config, std::unique_ptr<Source> source, const std::array<uint64_t, 2>& secret,
                 ThreadHooks capture_hooks)
    : config_(config), secret_(secret), hooks_(std::move(capture_hooks)), source_(std::move(source)) {
  for (uint32_t i = 0; i < config.shards; ++i) shards_.push_back(std::make_unique<Shard>(config_));
  for (size_t i = 0; i < shards_.size(); ++i) {
    shards_[i]->thread = std::thread([this, i] {
      name_thread("mon-shard" + std::to_string(i));
      match(*shards_[i]);
    });
  }
  capture_thread_ = std::thread([this] {
    name_thread("mon-capture");
    capture();
  });
}

Monitor::~Monitor() {
  for (stop(); !captured_; wake()) nap(1'000'000);
  capture_thread_.join();
  for (const auto& shard : shards_) shard->thread.join();
}

void Monitor::stop() {
  stop_ = true;
  wake();
}

/// Again with each take(): the signal may come just before the read that it is to end.
void Monitor::wake() {
  if (!source_->patient() || captured_) return;
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigaction(kWake, &action, nullptr);
  pthread_kill(capture_thread_.native_handle(), kWake);
}

void Monitor::capture() {
  try {
    hooks_.on_start();
    source_->open();
    connected_ = source_->connected();
    opened_ = true;
    capture_frames();
    counts_.missed = source_->missed();
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    if (!stop_) fault_ = error.what();
  }
  tell(SnapshotKind::end, tick_ + 1);
  publish();
  publish_counts();
  hooks_.on_stop();
  captured_ = true;
}

void Monitor::capture_frames() {
  constexpr Nanos kShow = 50'000'000;
  constexpr int kLastReads = 64;
  const FrameSink sink = [this](Nanos time, uint32_t length, Bytes bytes) { frame(time, length, bytes); };
  Nanos shown = 0;
  if (!source_->patient()) advance(wall_clock());
  while (!stop_) {
    const int got = source_->read(sink);
    const Nanos now = wall_clock();
    if (looked_ != 0 && now > looked_) counts_.gap_max_ns = std::max(counts_.gap_max_ns, now - looked_);
    if (!source_->patient()) advance(now);
    publish();
    if (now - shown > kShow) {
      connected_ = source_->connected();
      counts_.missed = source_->missed();
      publish_counts();
      shown = now;
    }
    if (got < 0) return;
    looked_ = source_->rest(got) ? 0 : now;
  }
  // What passed before we were stopped counts; what never ends does not keep us.
  for (int last = 0; last < kLastReads && !source_->patient() && source_->read(sink) > 0; ++last) publish();
}

void Monitor::frame(Nanos time, uint32_t length, Bytes bytes) {
  advance(time);
  ++counts_.frames;
  counts_.bytes += length;
  if (counts_.first_ns == 0) counts_.first_ns = time;
  counts_.last_ns = std::max(counts_.last_ns, time);
  bytes = bytes.first(std::min<size_t>(bytes.size(), config_.snapshot));
  Segment segment;
  const Reading reading = read_segment(bytes, length, segment);
  if (reading != Reading::segment) {
    ++(reading == Reading::other ? counts_.not_tcp : reading == Reading::fragment ? counts_.fragments : counts_.cut);
    return;
  }
  const uint8_t way = way_of(segment, config_.match.ports);
  if (way == kNoWay) {
    ++counts_.other_ports;
    return;
  }
  segment.time = time;
  const uint64_t hash = hash_flow_name(flow_of(segment, Way{way}), secret_);
  Shard& shard = *shards_[(hash >> 32) % shards_.size()];
  Snapshot* const place = claim(shard);
  if (place == nullptr) {
    ++counts_.dropped;
    return;
  }
  place->segment = segment;
  place->hash = hash;
  place->way = Way{way};
  std::memcpy(place->bytes(), bytes.data(), segment.captured);
  shard.ring.push();
}

/// A place for a frame; null where there is none and the source does not wait.
Snapshot* Monitor::claim(Shard& shard) {
  Snapshot* place = shard.ring.claim();
  while (place == nullptr && source_->patient() && !stop_) {
    publish();
    nap(50'000);
    place = shard.ring.claim();
  }
  return place;
}

void Monitor::tell(SnapshotKind kind, uint64_t number) {
  for (const auto& shard : shards_) {
    Snapshot* place = shard->ring.claim();
    for (; place == nullptr; place = shard->ring.claim()) {
      shard->ring.publish();
      nap(50'000);
    }
    place->kind = kind;
    place->hash = number;
    shard->ring.push();
  }
}

/// Ticks end at multiples of their length from the first frame on. Where nothing passed for long, there are none.
void Monitor::advance(Nanos time) {
  if (start_ == 0) start_ = time;
  if (time < start_) return;
  const uint64_t number = (time - start_) / config_.tick;
  if (number <= tick_) return;
  tell(SnapshotKind::tick, number);
  tick_ = number;
}

void Monitor::publish() {
  for (const auto& shard : shards_) shard->ring.publish();
}

void Monitor::publish_counts() {
  const std::lock_guard lock(mutex_);
  shown_ = counts_;
  counts_.gap_max_ns = 0;
}

void Monitor::match(Shard& shard) {
  uint64_t current = 0;
  const auto finish = [&](uint64_t next) {
    Tick tick = shard.matcher.finish(current, start_ + current * config_.tick,
                                     1 + static_cast<uint32_t>(next / config_.ticks_per_interval));
    const std::lock_guard lock(shard.mutex);
    shard.ready.push_back(std::move(tick));
    current = next;
  };
  for (;;) {
    Snapshot* const snapshot = shard.ring.front();
    if (snapshot == nullptr) {
      nap(kShardNap);
      continue;
    }
    if (snapshot->kind == SnapshotKind::frame) {
      shard.matcher.take(snapshot->segment, snapshot->way, snapshot->hash, snapshot->frame());
    } else if (snapshot->kind == SnapshotKind::tick) {
      finish(snapshot->hash);
    } else {
      shard.matcher.give_up();
      finish(snapshot->hash);
      shard.over = true;
      return;
    }
    shard.ring.pop();
  }
}

Taken Monitor::take() {
  if (stop_) wake();
  Taken taken;
  taken.opened = opened_;
  taken.connected = connected_;
  taken.ended = captured_;
  for (const auto& shard : shards_) taken.ended = taken.ended && shard->over;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    for (Tick& tick : shard->ready) taken.ticks.push_back(std::move(tick));
    shard->ready.clear();
  }
  const std::lock_guard lock(mutex_);
  taken.capture = shown_;
  taken.fault = fault_;
  return taken;
}

}  // namespace qstack::monitor
