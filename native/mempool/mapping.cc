#include "native/mempool/mapping.hh"

#include <sys/mman.h>

#include <new>
#include <utility>

namespace qstack {

namespace {

constexpr size_t kSmallPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;

size_t rounded_up(size_t value, size_t to) { return (value + to - 1) / to * to; }

uint8_t* map_anywhere(size_t bytes) {
  void* const base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  return static_cast<uint8_t*>(base);
}

/// The kernel aligns a mapping by itself only where its length is a whole number of huge pages.
uint8_t* map_aligned(size_t bytes) {
  uint8_t* const start = map_anywhere(bytes + kHugePage);
  const uintptr_t address = reinterpret_cast<uintptr_t>(start);
  const size_t before = rounded_up(address, kHugePage) - address;
  uint8_t* const base = start + before;
  if (before != 0) munmap(start, before);
  if (before != kHugePage) munmap(base + bytes, kHugePage - before);
  return base;
}

}  // namespace

Mapping::Mapping(size_t bytes) : size_(rounded_up(bytes, kSmallPage)) {
  if (size_ == 0) return;
  base_ = size_ < kHugePage ? map_anywhere(size_) : map_aligned(size_);
  if (size_ >= kHugePage) madvise(base_, size_, MADV_HUGEPAGE);  // advice only: small pages work as well
}

Mapping::~Mapping() {
  if (base_ != nullptr) munmap(base_, size_);
}

Mapping::Mapping(Mapping&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace qstack
