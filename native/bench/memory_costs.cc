// What a read of memory costs that depends on the read before, somewhere in so many MiB on huge pages: what a message among millions of
// connections pays for each record that it needs first. The host of a virtual machine has a part in it.
#include <atomic>

#include "native/bench/micro.hh"
#include "native/mempool/mapping.hh"
#include "native/stack/stack_thread.hh"

namespace qstack::bench {

Costs memory_costs(uint32_t mebibytes) {
  constexpr size_t kLine = 64, kPage = 4'096;
  constexpr uint32_t kReads = 1'000'000;
  const Mapping memory(size_t{mebibytes} << 20);
  for (size_t at = 0; at < memory.size(); at += kPage) memory.data()[at] = 1;
  const Nanos start = monotonic_now();
  uint64_t draw = 1;
  for (uint32_t i = 0; i < kReads; ++i) {
    draw = draw * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;  // Knuth's MMIX
    uint8_t& line = memory.data()[(draw >> 16) % (memory.size() / kLine) * kLine];
    draw += std::atomic_ref<uint8_t>(line).load(std::memory_order_relaxed);
  }
  return {{"read_ns", static_cast<double>(monotonic_now() - start) / kReads}};
}

}  // namespace qstack::bench
