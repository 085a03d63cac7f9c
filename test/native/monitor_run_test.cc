// The whole monitor over captures of our own stack: what it counts is what the stacks counted, whatever the number of shards.
#include <doctest/doctest.h>
#include <unistd.h>

#include "native/monitor/monitor.hh"
#include "native/monitor/pcap_source.hh"
#include "test/native/monitor_frames.hh"
#include "test/native/tcp_world.hh"

namespace qstack::monitor::testing {
namespace {

using qstack::test::Host;
using qstack::test::World;

/// Two stacks, a wire of known delay and loss between them, and a capture of what each has sent, before any of it is lost.
struct Wire {
  static constexpr uint64_t kStepUs = 100;
  struct Frame {
    Nanos due;
    PairPort::Frame bytes;
  };

  World world;
  std::deque<Frame> to_server, to_client;
  CaptureFile* capture = nullptr;
  Nanos delay = 300'000;
  uint32_t loss_permille = 0, seed = 99;

  bool lost() {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % 1'000 < loss_permille;
  }
  void carry(Host& from, std::deque<Frame>& way) {
    while (auto frame = from.wire.take()) {
      capture->add(world.now, *frame);
      if (!lost()) way.push_back({world.now + delay, std::move(*frame)});
    }
  }
  void arrive(Host& to, std::deque<Frame>& way) {
    for (; !way.empty() && way.front().due <= world.now; way.pop_front()) to.wire.inject(way.front().bytes);
  }
  void step() {
    world.now += kStepUs * 1'000;
    arrive(world.server, to_server);
    arrive(world.client, to_client);
    world.client.stack.turn(world.now);
    carry(world.client, to_server);
    world.server.stack.turn(world.now);
    carry(world.server, to_client);
  }
  bool until(const std::function<bool()>& done, uint64_t ms = 60'000) {
    for (uint64_t i = 0; i < ms * 1'000 / kStepUs && !done(); ++i) step();
    return done();
  }
};

struct Sums {
  std::array<uint64_t, kCounts> counts{};
  uint64_t responses = 0, sum_ns = 0, least_ns = UINT64_MAX, most_ns = 0, ticks = 0;
  uint64_t of(Count count) const { return counts[static_cast<size_t>(count)]; }
};

Sums run_monitor(MonitorConfig config, const std::string& path, CaptureCounts* capture = nullptr) {
  Monitor monitor(config, std::make_unique<FileSource>(path), {3, 4});
  Sums sums;
  for (bool ended = false; !ended;) {
    Taken taken = monitor.take();
    ended = taken.ended;
    CHECK(taken.fault == "");
    if (capture != nullptr) *capture = taken.capture;
    for (const Tick& tick : taken.ticks) {
      ++sums.ticks;
      for (size_t i = 0; i < kCounts; ++i) sums.counts[i] += tick.counts[i];
      for (const LevelTick& level : tick.levels) {
        sums.responses += level.responses;
        sums.sum_ns += level.sum_ns;
        sums.most_ns = std::max(sums.most_ns, level.most_ns);
        if (level.responses > 0) sums.least_ns = std::min(sums.least_ns, level.least_ns);
      }
    }
    if (!ended) usleep(1'000);
  }
  return sums;
}

struct TemporaryFile {
  std::string path = "/tmp/qstack-monitor-XXXXXX";
  std::FILE* file;
  TemporaryFile() : file(fdopen(mkstemp(path.data()), "wb")) {}
  ~TemporaryFile() {
    close();
    unlink(path.c_str());
  }
  void close() {
    if (file != nullptr) std::fclose(file);
    file = nullptr;
  }
};

/// `count` requests of 100 bytes over one connection, each answered by 50; what both stacks have sent again.
/// Nothing is lost before the connection stands: a SYN is no request.
std::pair<uint64_t, uint64_t> converse(Wire& wire, TemporaryFile& out, uint32_t count, uint32_t at_once, uint32_t loss_permille) {
  CaptureFile capture(out.file);
  wire.capture = &capture;
  World& world = wire.world;
  world.listen(qstack::Framing::fixed, 100);
  const Handle client = world.client.stack.connect({World::kClient, 0}, {World::kServer, World::kPort}, {0, 0, qstack::Framing::fixed, 50}, 7, world.now);
  REQUIRE(wire.until([&] { return world.client.app.of(client).opened && world.server.app.opened_count > 0; }));
  const Handle server = world.server.app.last;
  wire.loss_permille = loss_permille;
  // Answered in the turn after: as over rings, when what it answers is acknowledged.
  uint32_t sent = 0, owed = 0;
  world.server.app.on_message = [&](const Message&, const std::string&) { ++owed; };
  const bool done = wire.until([&] {
    for (; owed > 0; --owed) REQUIRE(world.server.send(server, std::string(50, 'r')));
    const size_t answered = world.client.app.of(client).messages.size();
    if (sent < count && sent < answered + at_once && world.client.send(client, std::string(100, 'q'))) ++sent;
    return answered == count;
  }, 600'000);
  REQUIRE(done);
  wire.until([] { return false; }, 2'000);
  out.close();
  return {world.client.count(Counter::retransmits), world.server.count(Counter::retransmits)};
}

MonitorConfig lossless_config() {
  MonitorConfig config;
  config.match.framing = Framing::segment;
  config.match.connections = 1'024;
  config.match.outstanding = 4'096;
  return config;
}

}  // namespace

TEST_CASE("latencies are those of the wire: the way there, and the server's turn") {
  Wire wire;
  TemporaryFile out;
  const auto [client, server] = converse(wire, out, 50, 1, 0);
  CHECK(client + server == 0);
  const Sums sums = run_monitor(lossless_config(), out.path);
  CHECK(sums.of(Count::requests) == 50);
  CHECK(sums.responses == 50);
  // Captured where the client sends; 300 us later it arrives, and the server's next turn is 100 us behind that.
  CHECK(sums.least_ns == 400'000);
  CHECK(sums.most_ns == 400'000);
  CHECK(sums.of(Count::request_retransmissions) + sums.of(Count::response_retransmissions) == 0);
}

TEST_CASE("what is counted as sent again is what both stacks have sent again, at any loss") {
  for (const uint32_t loss : {10u, 50u, 150u}) {
    CAPTURE(loss);
    Wire wire;
    wire.seed = loss;
    TemporaryFile out;
    const auto [client, server] = converse(wire, out, 400, 6, loss);
    CHECK(client + server > 0);
    for (const uint32_t shards : {1u, 3u}) {
      MonitorConfig config = lossless_config();
      config.shards = shards;
      config.ring = 64;  // the capture must wait for its shards
      const Sums sums = run_monitor(config, out.path);
      CHECK(sums.of(Count::request_retransmissions) == client);
      CHECK(sums.of(Count::response_retransmissions) == server);
      CHECK(sums.of(Count::request_late) + sums.of(Count::response_late) == 0);
    }
  }
}

namespace {

/// Frames at once, faster than any shard takes them.
class Flood final : public Source {
 public:
  int read(const FrameSink& sink) override {
    if (left_ == 0) return -1;
    for (uint32_t i = 0; i < 1'000; ++i) sink(wall_clock(), static_cast<uint32_t>(frame_.size()), frame_);
    return --left_ + 1;
  }
  bool rest(int) override { return false; }
  uint64_t missed() override { return 7; }

 private:
  std::vector<uint8_t> frame_ = frame_of({true, 1, 0, "x"});
  int left_ = 200;
};

}  // namespace

TEST_CASE("a live source does not wait for its shards: what finds no room is counted, and so is what the device lost") {
  MonitorConfig config = lossless_config();
  config.ring = 64;
  Monitor monitor(config, std::make_unique<Flood>(), {3, 4});
  uint64_t segments = 0;
  Taken taken;
  do {
    taken = monitor.take();
    for (const Tick& tick : taken.ticks) segments += tick.counts[static_cast<size_t>(Count::segments)];
  } while (!taken.ended);
  CHECK(taken.opened);
  CHECK(taken.capture.frames == 200'000);
  CHECK(taken.capture.dropped > 0);
  CHECK(segments + taken.capture.dropped == 200'000);
  CHECK(taken.capture.missed == 7);
}

TEST_CASE("a capture that waits for a pipe on which nothing comes ends when it is stopped") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  {
    Monitor monitor(lossless_config(), std::make_unique<FileSource>("/dev/fd/" + std::to_string(ends[0])), {3, 4});
    usleep(20'000);
    monitor.stop();
    Taken taken;
    do taken = monitor.take();
    while (!taken.ended);
    CHECK(taken.fault == "");
  }
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("what the monitor sees is counted, and a file that is none is a fault with a sentence") {
  TemporaryFile out;
  CaptureFile capture(out.file);
  capture.add(kSecond, std::vector<uint8_t>(60, 0));
  FrameSpec other{true, 1, 0, "x"};
  capture.add(2 * kSecond, frame_of(other));
  std::vector<uint8_t> cut = frame_of(other);
  cut.resize(30);
  capture.add(9 * kSecond, cut);
  out.close();
  CaptureCounts counts;
  const Sums sums = run_monitor(lossless_config(), out.path, &counts);
  CHECK(counts.frames == 3);
  CHECK(counts.not_tcp == 1);
  CHECK(counts.cut == 1);
  CHECK(sums.of(Count::requests) == 1);
  CHECK(sums.of(Count::unanswered) == 1);

  Monitor monitor(lossless_config(), std::make_unique<FileSource>("/dev/null"), {1, 2});
  Taken taken = monitor.take();
  while (!taken.ended) taken = monitor.take();
  CHECK(taken.fault != "");
}

}  // namespace qstack::monitor::testing
