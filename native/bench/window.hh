// Window: what was done, and what it cost the whole machine, between the end of a warm-up and the end of a measurement.
//
// In: a running total, with the time. Out: its growth in the window, the window's length, and the seconds that all
// processors were busy in it (in steps of 10 ms). The warm-up begins with the first note.
#pragma once

#include "native/mempool/packet.hh"

namespace qstack::bench {

/// Work of all processes and of the kernel since the machine started, in seconds.
double machine_busy_seconds();

class Window {
 public:
  Window(Nanos warm_up, Nanos length) : warm_up_(warm_up), length_(length) {}

  /// The window is open after this note: it was not over before.
  bool note(Nanos now, uint64_t total);
  bool over() const { return over_; }

  uint64_t amount() const { return last_total_ - first_total_; }
  Nanos elapsed() const { return last_ - first_; }
  double busy_seconds() const { return last_busy_ - first_busy_; }

 private:
  Nanos warm_up_, length_;
  Nanos began_ = 0, first_ = 0, last_ = 0;
  uint64_t first_total_ = 0, last_total_ = 0;
  double first_busy_ = 0, last_busy_ = 0;
  bool over_ = false;
};

}  // namespace qstack::bench
