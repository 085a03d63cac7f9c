// What idling costs a thread, the machine's part of it: naps of 500 us, and the first touch of memory after 50 ms without any (a host
// may take a sleeping guest's pages out of its tables).
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <atomic>

#include "native/bench/micro.hh"
#include "native/mempool/mapping.hh"
#include "native/stack/stack_thread.hh"

namespace qstack::bench {

namespace {

constexpr Nanos kNap = 500'000;
constexpr Nanos kRest = 50'000'000;
constexpr unsigned long kTimerSlack = 1'000;

Nanos thread_ran() {
  timespec ran;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  return static_cast<Nanos>(ran.tv_sec) * kSecond + static_cast<Nanos>(ran.tv_nsec);
}

void nap(Nanos length) {
  const Nanos at = monotonic_now() + length;
  const timespec until{static_cast<time_t>(at / kSecond), static_cast<long>(at % kSecond)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

/// Of the core, by one that only naps.
double cores_of_naps(uint32_t naps) {
  const Nanos start = monotonic_now(), ran = thread_ran();
  for (uint32_t i = 0; i < naps; ++i) nap(kNap);
  return static_cast<double>(thread_ran() - ran) / static_cast<double>(monotonic_now() - start);
}

/// Microseconds for the first read of a small page after a rest.
double microseconds_per_page(uint32_t rests) {
  constexpr size_t kPage = 4'096, kPages = 500, kBytes = kPages * kPage;
  const Mapping memory(kBytes);
  madvise(memory.data(), kBytes, MADV_NOHUGEPAGE);
  Nanos took = 0;
  for (uint32_t i = 0; i <= rests; ++i) {
    const Nanos start = monotonic_now();
    for (size_t page = 0; page < kPages; ++page) std::atomic_ref<uint8_t>(memory.data()[page * kPage]).store(1);
    if (i > 0) took += monotonic_now() - start;  // before that they do not exist
    nap(kRest);
  }
  return static_cast<double>(took) / 1e3 / kPages / rests;
}

}  // namespace

Costs nap_costs(uint32_t naps) {
  prctl(PR_SET_TIMERSLACK, kTimerSlack);
  return {{"cores", cores_of_naps(naps)}, {"page_us", microseconds_per_page(std::max(naps * kNap / kRest, Nanos{1}))}};
}

}  // namespace qstack::bench
