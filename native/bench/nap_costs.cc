// What a nap of 500 us costs, as an idle stack thread takes them: the machine's part of what an idle server needs.
#include <sys/prctl.h>
#include <time.h>

#include "native/bench/micro.hh"
#include "native/stack/stack_thread.hh"

namespace qstack::bench {

namespace {

constexpr Nanos kNap = 500'000;
constexpr unsigned long kTimerSlack = 1'000;

Nanos thread_ran() {
  timespec ran;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  return static_cast<Nanos>(ran.tv_sec) * kSecond + static_cast<Nanos>(ran.tv_nsec);
}

void nap() {
  const Nanos at = monotonic_now() + kNap;
  const timespec until{static_cast<time_t>(at / kSecond), static_cast<long>(at % kSecond)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

}  // namespace

Costs nap_costs(uint32_t naps) {
  prctl(PR_SET_TIMERSLACK, kTimerSlack);
  const Nanos start = monotonic_now(), ran = thread_ran();
  for (uint32_t i = 0; i < naps; ++i) nap();
  return {{"cores", static_cast<double>(thread_ran() - ran) / static_cast<double>(monotonic_now() - start)}};
}

}  // namespace qstack::bench
