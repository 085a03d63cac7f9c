#include "native/mcc/generator.hh"

namespace qstack::mcc {

namespace {
/// A thread that naps comes round every 500 us: it has to be awake a few of those before a send is due.
constexpr Nanos kWakeBefore = 2'000'000;
/// Receiving comes first: replies that wait in the device are lost when its ring is full, and our own messages are not.
constexpr uint32_t kTurnsPerStep = 4;
}  // namespace

std::unique_ptr<Load> make_load(const LoadConfig& config, Network& network) {
  if (const auto* open = std::get_if<EngineConfig>(&config)) return std::make_unique<Engine>(*open, network);
  return std::make_unique<ClosedLoop>(std::get<ClosedLoopConfig>(config), network);
}

Generator::Generator(const LoadConfig& config)
    : clock_(std::visit([](const auto& load) { return load.clock; }, config)) {}

/// What is sent is stamped with the time behind the receiving, which may have taken long.
uint32_t Generator::turn(Nanos now) {
  uint32_t work = receive(now);
  if (work != 0) now = after(now);
  work += load().step(now);
  return work + (wake_for(load().next_deadline(), now) ? 1 : 0);
}

/// True once per deadline: an idle turn that counts as work keeps the thread from napping for the next 10 ms.
bool Generator::wake_for(Nanos deadline, Nanos now) {
  if (deadline > now + kWakeBefore || deadline == woken_for_) return false;
  woken_for_ = deadline;
  return true;
}

StackGenerator::StackGenerator(const LoadConfig& config, const StackConfig& stack, Port& port, PacketPool& rx,
                               PacketPool& tx, Endpoint remote)
    : Generator(config),
      network_(tx, remote),
      load_(make_load(config, network_)),
      stack_(stack, port, rx, tx, *load_),
      burst_(stack.rx_burst) {
  network_.attach(stack_, port);
}

uint32_t StackGenerator::receive(Nanos now) {
  uint32_t work = 0;
  for (uint32_t turns = 0; turns < kTurnsPerStep; ++turns) {
    if (turns > 0) now = after(now);
    load_->begin_turn(now);
    const uint32_t done = stack_.turn(now);
    work += done;
    if (done < burst_) break;
  }
  return work;
}

std::map<std::string, uint64_t> StackGenerator::counters() {
  const Counters& counters = stack_.counters();
  std::map<std::string, uint64_t> named;
  for (size_t i = 0; i < kCounters; ++i) named.emplace(kCounterNames[i], counters.values[i]);
  return named;
}

std::vector<MemoryRegion> StackGenerator::memory() const {
  std::vector<MemoryRegion> regions = stack_.engine().memory();
  const auto own = load_->memory();
  regions.insert(regions.end(), own.begin(), own.end());
  return regions;
}

KernelGenerator::KernelGenerator(const LoadConfig& config, const KernelConfig& kernel)
    : Generator(config), network_(kernel), load_(make_load(config, network_)) {}

uint32_t KernelGenerator::receive(Nanos now) {
  load_->begin_turn(now);
  return network_.turn(*load_, now);
}

}  // namespace qstack::mcc
