#include "native/bench/window.hh"

#include <unistd.h>

#include <cstdio>

namespace qstack::bench {

double machine_busy_seconds() {
  FILE* const file = fopen("/proc/stat", "r");
  if (file == nullptr) return 0;
  unsigned long long user = 0, nice = 0, system = 0, irq = 0, softirq = 0;
  const int read = fscanf(file, "cpu %llu %llu %llu %*u %*u %llu %llu", &user, &nice, &system, &irq, &softirq);
  fclose(file);
  return read < 5 ? 0 : static_cast<double>(user + nice + system + irq + softirq) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

bool Window::note(Nanos now, uint64_t total) {
  if (over_) return false;
  if (began_ == 0) began_ = now;
  if (now < began_ + warm_up_) return false;
  if (first_ == 0) {
    first_ = now;
    first_total_ = total;
    first_busy_ = machine_busy_seconds();
  }
  last_ = now;
  last_total_ = total;
  if (now < first_ + length_) return true;
  last_busy_ = machine_busy_seconds();
  over_ = true;
  return true;
}

}  // namespace qstack::bench
