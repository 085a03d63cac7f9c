// What libxdp and libbpf say, below DPDK's af_xdp driver: kept for an error's text, and not printed.
//
// They print to stderr by themselves, also on success, and are linked by the driver's plug-in only: they are looked up among
// what the process has loaded.
#pragma once

namespace qstack {

/// Before an af_xdp device is made. Does nothing where the libraries are not there.
void capture_xdp_log();

}  // namespace qstack
