// Generator: a Load on a network of its own, as one turn that a StackThread (or a test) repeats.
//
// In: a network, and what to send. Out: nothing but traffic and the load's counts.
// A turn is: turns of the network while full bursts come in, then one step of the load (what is due goes out).
#pragma once

#include <map>
#include <string>
#include <variant>

#include "native/mcc/closed_loop.hh"
#include "native/mcc/engine.hh"
#include "native/mcc/kernel_network.hh"
#include "native/mcc/stack_network.hh"
#include "native/stack/stack.hh"

namespace qstack::mcc {

using LoadConfig = std::variant<EngineConfig, ClosedLoopConfig>;

std::unique_ptr<Load> make_load(const LoadConfig& config, Network& network);

class Generator {
 public:
  virtual ~Generator() = default;

  /// `now` is when the clock of the load's configuration was read; where that has one, it is read again on the way. Returns what was
  /// done; 0 means idle.
  uint32_t turn(Nanos now);

  virtual Load& load() = 0;
  /// What the network counts.
  virtual std::map<std::string, uint64_t> counters() = 0;
  /// All that is made at the start, packets left out.
  virtual std::vector<MemoryRegion> memory() const = 0;

 protected:
  explicit Generator(const LoadConfig& config);

  virtual uint32_t receive(Nanos now) = 0;
  /// The time, after what was begun at `now`.
  Nanos after(Nanos now) const { return clock_ == nullptr ? now : clock_(); }

 private:
  bool wake_for(Nanos deadline, Nanos now);

  Clock clock_;
  Nanos woken_for_ = 0;
};

/// On our own stack.
class StackGenerator final : public Generator {
 public:
  StackGenerator(const LoadConfig& config, const StackConfig& stack, Port& port, PacketPool& rx, PacketPool& tx,
                 Endpoint remote);

  Load& load() override { return *load_; }
  std::map<std::string, uint64_t> counters() override;
  std::vector<MemoryRegion> memory() const override;
  Stack& stack() { return stack_; }

 private:
  uint32_t receive(Nanos now) override;

  StackNetwork network_;
  std::unique_ptr<Load> load_;
  Stack stack_;
  uint32_t burst_;
};

/// On the kernel's.
class KernelGenerator final : public Generator {
 public:
  KernelGenerator(const LoadConfig& config, const KernelConfig& kernel);

  Load& load() override { return *load_; }
  std::map<std::string, uint64_t> counters() override { return network_.counters(); }
  std::vector<MemoryRegion> memory() const override { return load_->memory(); }

 private:
  uint32_t receive(Nanos now) override;

  KernelNetwork network_;
  std::unique_ptr<Load> load_;
};

}  // namespace qstack::mcc
