// EAL: DPDK's environment, started once per process, before any pool or port of this room that needs DPDK.
//
// In: a few choices. Out: a running EAL, or a std::runtime_error that says what went wrong, with EAL's own last lines.
// Nothing is reserved that a killed process would leave behind, no privilege is needed without hugepages, and the
// process's threads keep the CPUs that they had. Packets do not live in EAL's memory (dpdk_pool.hh): it holds rings and
// device state only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace qstack {

struct EalOptions {
  bool hugepages = false;
  uint32_t memory_mib = 64;
  std::vector<std::string> pci_devices{};  ///< addresses of NICs that may be used; none: the PCI bus is not looked at
};

/// From the main thread. A second call in one process fails: EAL can be started once only, even after it has failed.
void start_eal(const EalOptions& options);
bool eal_running();
/// The calling thread uses packet pools until it leaves: as far as EAL has numbers for threads, it gets caches of its own. One
/// thread at a time, while no other uses the main thread's, which go back; nothing is done where it has entered already.
void eal_enter_thread();
void eal_leave_thread();

/// The arguments that start_eal gives to EAL, without the program's name.
std::vector<std::string> eal_arguments(const EalOptions& options);

/// EAL's messages while one lives are kept for an error's text, and not printed.
class EalLogCapture {
 public:
  EalLogCapture();
  ~EalLogCapture();
  EalLogCapture(const EalLogCapture&) = delete;
  EalLogCapture& operator=(const EalLogCapture&) = delete;

  /// Adds what a library below a driver says.
  static void add(const std::string& line);
  /// The last lines so far, joined by "; ", or "no message".
  static std::string text();
};

}  // namespace qstack
