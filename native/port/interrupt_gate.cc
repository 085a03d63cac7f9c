#include "native/port/interrupt_gate.hh"

#include <poll.h>
#include <rte_errno.h>
#include <rte_interrupts.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace qstack {

namespace {

/// From an opening to the first look at the devices, and from there to the next.
constexpr int kParkedMs = 10;
constexpr int kQuietMs = 200;
/// The gate stays closed for so long at least, whatever comes up.
constexpr timespec kBreather{.tv_sec = 0, .tv_nsec = 1'000'000};

struct Guarded {
  std::mutex mutex;
  std::vector<GatedDevice*> devices;
  std::mutex handling;   ///< taken before `mutex`
  bool handles = false;  ///< the interrupt thread has `handling`
  int event = -1;        ///< readable while there are devices: EAL calls park() again and again
  int news = -1;         ///< readable when a device came
  bool ringing = false;
  std::atomic<uint64_t> openings{0};
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

/// The epoll instance that waits for `event`, as the kernel tells it (proc(5), fdinfo); -1: not to be found.
int epoll_with(int event) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo", none)) {
    std::ifstream file(entry.path());
    std::string word;
    for (int fd = -1; file >> word;) {
      if (word == "tfd:" && file >> fd && fd == event) return std::stoi(entry.path().filename());
    }
  }
  return -1;
}

/// `epoll` has something ready, now or within `ms`; less where one of `doors` has.
bool is_ready(int epoll, int ms, const std::vector<int>& doors = {}) {
  std::vector<pollfd> wanted{{epoll, POLLIN, 0}};
  for (const int door : doors) wanted.push_back({door, POLLIN, 0});
  return poll(wanted.data(), wanted.size(), ms) > 0 && wanted[0].revents != 0;
}

/// What has to be looked at when one of them is readable.
std::vector<int> doors() {
  const std::lock_guard guard(guarded().mutex);
  std::vector<int> all{guarded().news};
  for (const GatedDevice* const device : guarded().devices) {
    if (device->door_fd() >= 0) all.push_back(device->door_fd());
  }
  return all;
}

}  // namespace

uint64_t InterruptGate::openings() { return guarded().openings.load(std::memory_order_relaxed); }

std::mutex& InterruptGate::handling() { return guarded().handling; }

void InterruptGate::add(GatedDevice& device) {
  const std::lock_guard guard(guarded().mutex);
  if (guarded().event < 0) hook();
  guarded().devices.push_back(&device);
  eventfd_write(guarded().news, 1);
  if (!guarded().ringing) eventfd_write(guarded().event, 1);
  guarded().ringing = true;
}

void InterruptGate::remove(GatedDevice& device) {
  const std::lock_guard guard(guarded().mutex);
  std::erase(guarded().devices, &device);
}

/// Once per process: EAL's interrupt thread lives as long.
void InterruptGate::hook() {
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  rte_intr_handle* const handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
  if (event < 0 || news < 0 || handle == nullptr || rte_intr_fd_set(handle, event) != 0 ||
      rte_intr_type_set(handle, RTE_INTR_HANDLE_EXT) != 0 || rte_intr_callback_register(handle, park, nullptr) != 0) {
    rte_intr_instance_free(handle);
    for (const int fd : {event, news}) {
      if (fd >= 0) close(fd);
    }
    throw std::runtime_error("DPDK: its interrupt thread takes no event of ours");
  }
  guarded().event = event;
  guarded().news = news;
}

/// Runs in EAL's interrupt thread. Between its return and its next call that thread handles EAL's other events, and
/// comes back at once because the event stays readable. The last return, without devices, leaves nothing locked.
void InterruptGate::park(void*) {
  Guarded& state = guarded();
  GatedDevice::open.store(false, std::memory_order_seq_cst);
  if (state.handles) state.handling.unlock();
  wait_for_work();
  const std::lock_guard guard(state.mutex);
  open_gate();
  state.handles = !state.devices.empty();
  if (!state.handles) rest();
}

/// Returns with `handling` taken. Our own event is silent meanwhile: what EAL's epoll instance reports then is another's.
void InterruptGate::wait_for_work() {
  Guarded& state = guarded();
  const int epoll = epoll_with(state.event);
  eventfd_t count = 0;
  eventfd_read(state.event, &count);
  nanosleep(&kBreather, nullptr);
  bool wanted = false;
  for (int ms = kParkedMs; !wanted; ms = kQuietMs) {
    const bool due = is_ready(epoll, ms, doors());
    eventfd_read(state.news, &count);
    state.handling.lock();
    wanted = attend() || due || epoll < 0 || is_ready(epoll, 0);
    if (!wanted) state.handling.unlock();
  }
  eventfd_write(state.event, 1);
}

bool InterruptGate::attend() {
  const std::lock_guard guard(guarded().mutex);
  bool wanted = guarded().devices.empty();
  for (GatedDevice* const device : guarded().devices) wanted = device->attend() || wanted;
  return wanted;
}

void InterruptGate::open_gate() {
  Guarded& state = guarded();
  GatedDevice::open.store(true, std::memory_order_seq_cst);
  state.openings.fetch_add(1, std::memory_order_relaxed);
  for (GatedDevice* const device : state.devices) {
    while (device->inside()) sched_yield();
  }
  const Nanos now = monotonic();
  for (GatedDevice* const device : state.devices) device->maintain(now);
}

/// Called with both locks held by the interrupt thread: no more events until the next device.
void InterruptGate::rest() {
  eventfd_t ignored = 0;
  eventfd_read(guarded().event, &ignored);
  guarded().ringing = false;
  guarded().handling.unlock();
}

}  // namespace qstack
