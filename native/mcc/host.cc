#include "native/mcc/host.hh"

#include <algorithm>
#include <utility>

namespace qstack::mcc {

namespace {
constexpr Nanos kStartIn = 1'000'000;
}

Host::Host(std::unique_ptr<Generator> generator, StackThreadConfig thread)
    : generator_(std::move(generator)), load_(generator_->load()) {
  auto turn = [taken = generator_.get()](Nanos now) { return taken->turn(now); };
  thread_ = std::make_unique<StackThread>(turn, std::move(thread));
}

void Host::connect() {
  thread_->call([this] { load_.connect(monotonic_now()); });
}

bool Host::run(const Plan& plan, Nanos start) {
  thread_->hiccups(true);
  bool started = false;
  thread_->call([&] {
    started = load_.phase() == Phase::ready;
    Nanos now = monotonic_now();
    if (started) load_.run(plan, std::max(start, now + kStartIn), now);
  });
  return started;
}

void Host::stop_run() {
  thread_->call([this] { load_.stop_run(monotonic_now()); });
}

void Host::close() {
  thread_->call([this] { load_.close(monotonic_now()); });
}

RunResult Host::result() {
  RunResult result;
  result.hiccups = thread_->hiccups(false);
  result.level_count = static_cast<uint32_t>(view().level_count);
  thread_->call([&] {
    for (uint32_t level = 0; level < result.level_count; ++level) {
      const LevelStats& stats = load_.level(static_cast<uint8_t>(level));
      result.counts[level] = stats.counts;
      result.latency[level] = stats.latency;
      result.extremes[level] = stats.extremes;
    }
    result.bytes_received = load_.bytes_received();
  });
  return result;
}

std::map<std::string, uint64_t> Host::counters() {
  std::map<std::string, uint64_t> counters;
  thread_->call([&] { counters = generator_->counters(); });
  return counters;
}

}  // namespace qstack::mcc
