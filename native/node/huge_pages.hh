// Huge pages for memory that was allocated by others: what V8 gets from malloc begins and ends anywhere.
//
// In: a range that was not written to yet. Out: the kernel is asked for a huge page wherever a whole one fits into it. What lies
// before and behind stays on small pages, and so does what was touched before: nothing is moved.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "native/mempool/mapping.hh"

namespace qstack::node {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

/// From the first beginning of a huge page in it to its last end; of no bytes where none fits.
inline MemoryRegion whole_huge_pages(const MemoryRegion& region) {
  const size_t over = reinterpret_cast<uintptr_t>(region.base) % kHugePageBytes;
  const size_t before = over == 0 ? 0 : kHugePageBytes - over;
  if (region.bytes < before + kHugePageBytes) return {};
  return {region.base + before, (region.bytes - before) / kHugePageBytes * kHugePageBytes};
}

/// Advice only: small pages work as well. False where it is of no use: no huge page fits, or the kernel knows none.
inline bool advise_huge_pages(const MemoryRegion& region) {
  const MemoryRegion whole = whole_huge_pages(region);
  return whole.bytes != 0 && madvise(whole.base, whole.bytes, MADV_HUGEPAGE) == 0;
}

}  // namespace qstack::node
