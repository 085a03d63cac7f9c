// In place of dpdk_device.cc where the library is built without DPDK.
#include <cerrno>
#include <system_error>

#include "native/capi/device.hh"

namespace qstack::capi {

std::unique_ptr<Device> make_dpdk_device(const InstanceConfig& config) {
  throw std::system_error(EOPNOTSUPP, std::generic_category(),
                          "device: \"" + config.device + "\": this library is built without DPDK");
}

}  // namespace qstack::capi
