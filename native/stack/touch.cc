#include "native/stack/touch.hh"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace qstack {

namespace {

constexpr size_t kTouchedPage = 4096;
/// Of one thread at a time: a whole number of huge pages, so that no two threads ask for the same one.
constexpr size_t kPart = size_t{32} << 20;
/// Less is done sooner than threads are made.
constexpr size_t kWorthThreads = 2 * kPart;
constexpr uint32_t kThreadsMax = 16;
constexpr auto kTellEvery = std::chrono::seconds(2);

/// Where the kernel has no call for it (before 5.14): a write that changes nothing, atomic for whoever uses the memory already.
void write_each_page(const MemoryRegion& part) {
  for (size_t at = 0; at < part.bytes; at += kTouchedPage) {
    std::atomic_ref<uint8_t>(part.base[at]).fetch_or(0, std::memory_order_relaxed);
  }
}

/// Of no bytes at all, an advice that the kernel knows is a success.
bool knows_populate(const MemoryRegion& part) { return madvise(part.base, 0, MADV_POPULATE_WRITE) == 0; }

bool populate(const MemoryRegion& part) {
  if (!knows_populate(part)) {
    write_each_page(part);
    return true;
  }
  int result = 0;
  do {
    result = madvise(part.base, part.bytes, MADV_POPULATE_WRITE);
  } while (result != 0 && (errno == EINTR || errno == EAGAIN));
  return result == 0;
}

/// Whole pages: regions that are parts of a mapping begin and end anywhere.
MemoryRegion whole_pages(const MemoryRegion& region) {
  const size_t before = reinterpret_cast<uintptr_t>(region.base) % kTouchedPage;
  const size_t bytes = (before + region.bytes + kTouchedPage - 1) / kTouchedPage * kTouchedPage;
  return {region.base - before, bytes};
}

std::vector<MemoryRegion> parts_of(std::span<const MemoryRegion> regions) {
  std::vector<MemoryRegion> parts;
  for (const MemoryRegion& region : regions) {
    if (region.bytes == 0) continue;
    const MemoryRegion whole = whole_pages(region);
    for (size_t at = 0; at < whole.bytes; at += kPart) {
      parts.push_back({whole.base + at, std::min(kPart, whole.bytes - at)});
    }
  }
  return parts;
}

/// Parts are taken one after the other by whoever is free.
class Work {
 public:
  explicit Work(std::vector<MemoryRegion> parts) : parts_(std::move(parts)) {}

  void run() {
    for (;;) {
      const size_t part = next_.fetch_add(1, std::memory_order_relaxed);
      if (part >= parts_.size() || failed_.load(std::memory_order_relaxed)) break;
      if (!populate(parts_[part])) failed_.store(true, std::memory_order_relaxed);
      done_.fetch_add(parts_[part].bytes, std::memory_order_relaxed);
    }
    const std::lock_guard lock(mutex_);
    ++ended_;
    end_.notify_one();
  }

  void wait(uint32_t threads, const TouchProgress& progress) {
    std::unique_lock lock(mutex_);
    while (!end_.wait_for(lock, kTellEvery, [&] { return ended_ == threads; })) {
      if (progress) progress(done_.load(std::memory_order_relaxed));
    }
  }

  bool failed() const { return failed_.load(std::memory_order_relaxed); }

 private:
  std::vector<MemoryRegion> parts_;
  std::atomic<size_t> next_{0};
  std::atomic<uint64_t> done_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::condition_variable end_;
  uint32_t ended_ = 0;
};

void run_in_threads(Work& work, uint32_t threads, const TouchProgress& progress) {
  std::vector<std::jthread> workers;
  for (uint32_t i = 0; i < threads; ++i) workers.emplace_back([&work] { work.run(); });
  work.wait(threads, progress);
}

}  // namespace

uint64_t touch(std::span<const MemoryRegion> regions, uint32_t threads, const TouchProgress& progress) {
  uint64_t bytes = 0;
  for (const MemoryRegion& region : regions) bytes += region.bytes;
  Work work(parts_of(regions));
  if (threads <= 1 || bytes < kWorthThreads) {
    work.run();
  } else {
    run_in_threads(work, std::min(threads, kThreadsMax), progress);
  }
  if (work.failed()) throw std::bad_alloc();
  return bytes;
}

uint32_t touch_threads() { return std::clamp(std::thread::hardware_concurrency(), 1u, kThreadsMax); }

}  // namespace qstack
