// Options of the program qstack_sim, read from its command line.
#pragma once

#include <optional>

#include "native/sim/throughput.hh"

namespace qstack::sim {

struct Options {
  uint64_t seed = 1;
  double seconds = 0;  ///< of real time; 0: no bound
  double virtual_hours = 0;
  uint64_t plans = 0;     ///< 0: until the time is over; one, where there is no time
  bool counters = false;  ///< the sum of all hosts' at the end
  bool trace = false;     ///< every segment on stderr
  Limits limits;
  std::optional<Cell> cell;  ///< of the table of throughputs: it is measured, and nothing else
};

/// False: a flag is wrong, and stderr says which.
bool read_options(int argc, char** argv, Options& out);

}  // namespace qstack::sim
