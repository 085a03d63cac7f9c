#include "native/mcc/host.hh"

#include <utility>

namespace qstack::mcc {

namespace {
constexpr Nanos kStartIn = 1'000'000;
}

Host::Host(const EngineConfig& config, const StackConfig& stack, Port& port, PacketPool& rx, PacketPool& tx,
           Endpoint remote, StackThreadConfig thread)
    : generator_(std::make_unique<Generator>(config, stack, port, rx, tx, remote)), engine_(&generator_->engine()) {
  auto turn = [generator = generator_.get()](Nanos now) { return generator->turn(now); };
  thread_ = std::make_unique<StackThread>(turn, std::move(thread));
}

void Host::connect() {
  thread_->call([this] { engine_->connect(monotonic_now()); });
}

bool Host::run(const Plan& plan) {
  thread_->hiccups(true);
  bool started = false;
  thread_->call([&] {
    started = engine_->phase() == Phase::ready;
    Nanos now = monotonic_now();
    if (started) engine_->run(plan, now + kStartIn, now);
  });
  return started;
}

void Host::stop_run() {
  thread_->call([this] { engine_->stop_run(monotonic_now()); });
}

void Host::close() {
  thread_->call([this] { engine_->close(monotonic_now()); });
}

RunResult Host::result() {
  RunResult result;
  result.hiccups = thread_->hiccups(false);
  result.level_count = static_cast<uint32_t>(view().level_count);
  thread_->call([&] {
    for (uint8_t level = 0; level < result.level_count; ++level) {
      result.counts[level] = engine_->level(level).counts;
      result.latency[level] = engine_->level(level).latency;
      result.extremes[level] = engine_->level(level).extremes;
    }
  });
  return result;
}

std::vector<MemoryRegion> Host::memory() const {
  std::vector<MemoryRegion> regions = generator_->stack().engine().memory();
  const auto own = engine_->memory();
  regions.insert(regions.end(), own.begin(), own.end());
  return regions;
}

Counters Host::counters() {
  Counters counters;
  thread_->call([&] { counters = generator_->stack().counters(); });
  return counters;
}

}  // namespace qstack::mcc
