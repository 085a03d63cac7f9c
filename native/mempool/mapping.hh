// Mapping: anonymous memory for pools, on transparent huge pages where the kernel gives them.
//
// Nothing is touched here: a page costs memory from its first use on, or from touch() on (stack/touch.hh). Hugetlb is never taken:
// a killed process must leave nothing reserved (docs/ARCHITECTURE.md 3). What does not fill a huge page lies on small ones.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qstack {

/// Part of an address space; what it means to whom is told by who gives it.
struct MemoryRegion {
  uint8_t* base = nullptr;
  size_t bytes = 0;
};

class Mapping {
 public:
  Mapping() = default;
  /// Throws std::bad_alloc when the address space or the commit limit does not allow it.
  explicit Mapping(size_t bytes);
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;

  uint8_t* data() const { return static_cast<uint8_t*>(base_); }
  size_t size() const { return size_; }
  MemoryRegion region() const { return {data(), size_}; }

 private:
  void* base_ = nullptr;
  size_t size_ = 0;
};

}  // namespace qstack
