#include "native/mempool/mapping.hh"

#include <sys/mman.h>

#include <new>
#include <utility>

namespace qstack {

Mapping::Mapping(size_t bytes) {
  constexpr size_t kHugePage = size_t{2} << 20;
  // A pool below one huge page stays on small pages: rounding it up would cost more than it wins.
  size_ = bytes < kHugePage ? (bytes + 4095) & ~size_t{4095} : (bytes + kHugePage - 1) & ~(kHugePage - 1);
  if (size_ == 0) return;
  base_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base_ == MAP_FAILED) {
    base_ = nullptr;
    throw std::bad_alloc();
  }
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
