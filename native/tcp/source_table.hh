// SourceTable: how many half-open and open connections each remote address has.
//
// In: one call when a connection comes, one when it goes. Out: whether the limit allows it. Open addressing, 16 B a place,
// 1.5 places per connection that can exist: it cannot be full, so no address escapes. Without limits it takes no memory.
#pragma once

#include <array>
#include <cstdint>

#include "native/flow/siphash.hh"
#include "native/mempool/mapping.hh"

namespace qstack {

enum class SourceUse : uint8_t { half_open = 0, open = 1 };

class SourceTable {
 public:
  /// `limits`: of half-open and of open connections per source; 0: no limit. `most`: connections of both kinds together.
  SourceTable(const std::array<uint32_t, 2>& limits, uint32_t most, uint64_t secret)
      : limits_(limits),
        places_(limits[0] == 0 && limits[1] == 0 ? 0 : most + most / 2 + 1),
        secret_(secret),
        memory_(size_t{places_} * sizeof(Entry)) {}

  bool allows(SourceUse use, uint64_t source) const {
    const uint32_t limit = limits_[index(use)];
    if (limit == 0) return true;
    const Entry& entry = entries()[find(source)];
    return entry.counts[index(use)] < limit;
  }

  void add(SourceUse use, uint64_t source) {
    if (places_ == 0) return;
    Entry& entry = entries()[find(source)];
    entry.source = source;
    ++entry.counts[index(use)];
  }

  void remove(SourceUse use, uint64_t source) {
    if (places_ == 0) return;
    uint32_t at = find(source);
    Entry& entry = entries()[at];
    --entry.counts[index(use)];
    if (entry.empty()) close_gap(at);
  }

  MemoryRegion memory() const { return memory_.region(); }

 private:
  struct Entry {
    uint64_t source;
    uint32_t counts[2];
    bool empty() const { return counts[0] == 0 && counts[1] == 0; }
  };
  static_assert(sizeof(Entry) == 16);

  static size_t index(SourceUse use) { return static_cast<size_t>(use); }
  Entry* entries() const { return reinterpret_cast<Entry*>(memory_.data()); }
  uint32_t next(uint32_t at) const { return at + 1 == places_ ? 0 : at + 1; }
  uint32_t home(uint64_t source) const {
    return static_cast<uint32_t>((static_cast<unsigned __int128>(siphash(secret_, ~secret_, source, 0)) * places_) >> 64);
  }

  /// The place of `source`, or the empty one where it would stand.
  uint32_t find(uint64_t source) const {
    uint32_t at = home(source);
    while (!entries()[at].empty() && entries()[at].source != source) at = next(at);
    return at;
  }

  /// What stood further along because this place was taken moves up, so that find() never meets a hole.
  void close_gap(uint32_t gap) {
    for (uint32_t at = next(gap); !entries()[at].empty(); at = next(at)) {
      const uint32_t wanted = home(entries()[at].source);
      const bool between = gap <= at ? gap < wanted && wanted <= at : gap < wanted || wanted <= at;
      if (between) continue;
      entries()[gap] = entries()[at];
      entries()[at] = Entry{};
      gap = at;
    }
  }

  std::array<uint32_t, 2> limits_;
  uint32_t places_;
  uint64_t secret_;
  Mapping memory_;
};

}  // namespace qstack
