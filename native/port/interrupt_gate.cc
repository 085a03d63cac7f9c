#include "native/port/interrupt_gate.hh"

#include <rte_errno.h>
#include <rte_interrupts.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

namespace qstack {

namespace {

/// How long the gate stays closed: what a connect waits for at each of its steps.
constexpr long kParkedNanos = 10'000'000;

struct Guarded {
  std::mutex mutex;
  std::vector<GatedDevice*> devices;
  std::mutex handling;   ///< taken before `mutex`
  bool handles = false;  ///< the interrupt thread has `handling`
  int event = -1;        ///< readable while there are devices: EAL calls park() again and again
  bool ringing = false;
};

Guarded& guarded() {
  static Guarded* const state = new Guarded;  // the interrupt thread may outlive static objects
  return *state;
}

Nanos monotonic() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<Nanos>(time.tv_sec) * 1'000'000'000 + static_cast<Nanos>(time.tv_nsec);
}

}  // namespace

std::mutex& InterruptGate::handling() { return guarded().handling; }

void InterruptGate::add(GatedDevice& device) {
  const std::lock_guard guard(guarded().mutex);
  if (guarded().event < 0) hook();
  guarded().devices.push_back(&device);
  if (!guarded().ringing) eventfd_write(guarded().event, 1);
  guarded().ringing = true;
}

void InterruptGate::remove(GatedDevice& device) {
  const std::lock_guard guard(guarded().mutex);
  std::erase(guarded().devices, &device);
}

/// Once per process: EAL's interrupt thread lives as long.
void InterruptGate::hook() {
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  rte_intr_handle* const handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
  if (event < 0 || handle == nullptr || rte_intr_fd_set(handle, event) != 0 ||
      rte_intr_type_set(handle, RTE_INTR_HANDLE_EXT) != 0 || rte_intr_callback_register(handle, park, nullptr) != 0) {
    rte_intr_instance_free(handle);
    if (event >= 0) close(event);
    throw std::runtime_error("DPDK: its interrupt thread takes no event of ours");
  }
  guarded().event = event;
}

/// Runs in EAL's interrupt thread. Between its return and its next call that thread handles EAL's other events, and
/// comes back at once because the event stays readable. The last return, without devices, leaves nothing locked.
void InterruptGate::park(void*) {
  Guarded& state = guarded();
  GatedDevice::open.store(false, std::memory_order_seq_cst);
  if (state.handles) state.handling.unlock();
  const timespec time{.tv_sec = 0, .tv_nsec = kParkedNanos};
  nanosleep(&time, nullptr);
  state.handling.lock();
  GatedDevice::open.store(true, std::memory_order_seq_cst);
  const std::lock_guard guard(state.mutex);
  for (GatedDevice* const device : state.devices) {
    while (device->inside()) sched_yield();
  }
  const Nanos now = monotonic();
  for (GatedDevice* const device : state.devices) device->maintain(now);
  state.handles = !state.devices.empty();
  if (!state.handles) rest();
}

/// Called with both locks held by the interrupt thread: no more events until the next device.
void InterruptGate::rest() {
  eventfd_t ignored = 0;
  eventfd_read(guarded().event, &ignored);
  guarded().ringing = false;
  guarded().handling.unlock();
}

}  // namespace qstack
