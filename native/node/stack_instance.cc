#include "native/node/stack_instance.hh"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "native/node/ring_wires.hh"
#include "native/port/eal.hh"

namespace qstack::node {

namespace {

std::string text_of(const IpAddress& address, uint16_t port) {
  char text[INET6_ADDRSTRLEN];
  if (address.is_ipv4() || address.unspecified()) {
    const uint32_t bytes = __builtin_bswap32(address.ipv4());
    inet_ntop(AF_INET, &bytes, text, sizeof(text));
    return text + (":" + std::to_string(port));
  }
  uint8_t bytes[16];
  store_ipv6(bytes, address);
  inet_ntop(AF_INET6, bytes, text, sizeof(text));
  return "[" + std::string(text) + "]:" + std::to_string(port);
}

int make_eventfd() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw CodedError("QST_ERR_NATIVE", std::string("eventfd: ") + std::strerror(errno));
  return fd;
}

ArenaConfig with_region(ArenaConfig arena, const DeviceConfig& device) {
  arena.region_bytes = Device::bytes(device);
  return arena;
}

}  // namespace

// An arena that JavaScript has seen is never unmapped: its buffers would point into nothing.
StackInstance::Parts::~Parts() {
  shards.reset();
  device.reset();
  if (!arena_shared || arena == nullptr) return;
  arena->discard();
  [[maybe_unused]] Arena* const kept = arena.release();
}

StackInstance::StackInstance(const InstanceConfig& config, const TouchProgress& progress)
    : config_(config), woken_(config.arena.apps), bells_(config.arena.stacks) {
  for (uint32_t app = 0; app < config.arena.apps; ++app) wake_fds_.push_back(make_eventfd());
  parts_ = std::make_shared<Parts>();
  parts_->arena = std::make_unique<Arena>(with_region(config.arena, config.device));
  arena_ = parts_->arena.get();
  // Before the device's pools write to each of its packets, in this thread alone.
  touch(std::array{arena_->used_at_once()}, touch_threads(), progress);
  if (config.arena.stacks > 1) parts_->steering.emplace(config.stack.tcp.secret, config.arena.stacks);
  parts_->device = Device::make(config.device, arena_->region_memory(), parts_->whose());
  try {
    make_shards();
    touch_pools(progress);
  } catch (...) {
    if (!config.device.ring.empty()) leave_ring_end(config.device.ring, config.device.ring_side, std::move(parts_));
    throw;
  }
}

void StackInstance::make_shards() {
  Parts& parts = *parts_;
  Device& device = *parts.device;
  arena_->set_region(device.region());
  std::vector<Shards::End> ends;
  for (uint32_t stack = 0; stack < config_.arena.stacks; ++stack) {
    ends.push_back({&device.port(stack), &device.rx(stack), &device.tx(stack), device.steerer(stack)});
  }
  parts.shards.emplace(config_.stack, *arena_, ends, parts.whose());
  for (uint32_t app = 0; app < config_.arena.apps; ++app) parts.shards->attach(app, wake_fds_[app]);
}

void StackInstance::touch_pools(const TouchProgress& progress) {
  const uint64_t before = arena_->used_at_once().bytes;
  touch(parts_->shards->memory(), touch_threads(), [&](uint64_t bytes) {
    if (progress) progress(before + bytes);
  });
}

StackInstance::~StackInstance() {
  destroy();
  for (const int fd : wake_fds_) close(fd);
}

void StackInstance::check_alive() const {
  if (destroyed()) throw CodedError("QST_ERR_STACK_DESTROYED", "this stack is destroyed");
}

/// A thread that drives a stack serves it while it waits: whoever has control may wait for that.
std::unique_lock<std::mutex> StackInstance::take_control() const {
  std::unique_lock lock(control_, std::try_to_lock);
  while (!lock) {
    if (!destroyed()) parts_->shards->serve();
    sched_yield();
    (void)lock.try_lock();
  }
  return lock;
}

void StackInstance::call(const std::function<void(Shards&)>& work) {
  const auto lock = take_control();
  check_alive();
  try {
    work(*parts_->shards);
  } catch (const StackBusy& busy) {
    throw CodedError("QST_ERR_STACK_BUSY", busy.what());
  }
}

uint16_t StackInstance::listen(const ListenerConfig& config) {
  int number = 0;
  call([&](Shards& shards) { number = config.port == 0 ? shards.add_framing(config) : shards.listen(config); });
  const IpAddress own = config_.stack.ip.address != 0 ? IpAddress(config_.stack.ip.address) : config_.stack.ip.ipv6.address;
  const std::string where = text_of(config.address.unspecified() ? own : config.address, config.port);
  if (number == -EADDRINUSE) throw CodedError("EADDRINUSE", "listen EADDRINUSE: address already in use " + where);
  if (number == -EADDRNOTAVAIL) {
    throw CodedError("EADDRNOTAVAIL", "listen EADDRNOTAVAIL: address not available " + where);
  }
  if (number < 0) throw CodedError("QST_ERR_LISTEN", "listen " + where + ": " + std::strerror(-number));
  return static_cast<uint16_t>(number);
}

void StackInstance::unlisten(uint16_t listener) {
  if (listener >= AppRings::kFirstFraming) return;
  call([&](Shards& shards) { shards.unlisten(listener); });
}

std::vector<uint64_t> StackInstance::classify(const Classifier& classifier) {
  if (classifier.levels() > config_.arena.levels) {
    throw CodedError("QST_ERR_CLASSIFIER_INVALID", "the classifier has " + std::to_string(classifier.levels()) +
                                                       " levels, the stack has " +
                                                       std::to_string(config_.arena.levels));
  }
  std::vector<uint64_t> hits;
  call([&](Shards& shards) { hits = shards.classify(classifier); });
  return hits;
}

std::vector<uint64_t> StackInstance::rule_hits() {
  std::vector<uint64_t> hits;
  call([&](Shards& shards) { hits = shards.rule_hits(); });
  return hits;
}

void StackInstance::schedule(const PolicyConfig& policy) {
  call([&](Shards& shards) { shards.schedule(policy); });
}

CounterSnapshot StackInstance::counters() {
  CounterSnapshot out{};
  call([&](Shards& shards) {
    out.by_stack = shards.figures();
    for (const StackFigures& figures : out.by_stack) out += figures;
    shards.at(0, [&](Shard&) {  // the device's thread
      Device& device = *parts_->device;
      out.device = device.stats();
      out.faults = device.faults();
      out.link_up = device.port(0).link_up();
    });
  });
  return out;
}

Sojourn StackInstance::sojourn() {
  Sojourn out;
  call([&](Shards& shards) { out = shards.sojourn(); });
  return out;
}

HiccupProbe::Summary StackInstance::hiccups(bool reset) {
  const auto lock = take_control();
  check_alive();
  return parts_->shards->hiccups(reset);
}

uint32_t StackInstance::reclaim(uint32_t app) {
  uint32_t reset = 0;
  call([&](Shards& shards) { reset = shards.reclaim(app); });
  return reset;
}

void StackInstance::attach_app(uint32_t app) {
  call([&](Shards& shards) { shards.attach(app, wake_fds_[app]); });
}

void StackInstance::wake(uint32_t app) {
  woken_[app].store(true, std::memory_order_release);
  eventfd_write(wake_fds_[app], 1);
}

void StackInstance::run(const StackThreadConfig& config, const std::vector<int>& cores) {
  const auto lock = take_control();
  check_alive();
  if (runs() || parts_->shards->driven()) throw CodedError("QST_ERR_STACK_RUNNING", "this stack runs already");
  parts_->shards->run(config, cores, bells_);
}

void StackInstance::stop() {
  const auto lock = take_control();
  if (runs()) parts_->shards->stop();
}

uint32_t StackInstance::turn(Nanos now) {
  check_alive();
  Shards& shards = *parts_->shards;
  if (runs()) throw CodedError("QST_ERR_STACK_RUNNING", "this stack runs in its own thread");
  if (shards.driven() && !shards.driven_here(0)) {
    throw CodedError("QST_ERR_STACK_DRIVEN", "this stack is driven by another thread: call from there");
  }
  return shards.turn(now);
}

void StackInstance::begin_driving(uint32_t stack) {
  const auto lock = take_control();
  check_alive();
  const auto knock = [fd = wake_fds_[stack]] { eventfd_write(fd, 1); };
  if (runs() || stack >= parts_->shards->count() || !parts_->shards->begin_driving(stack, knock)) {
    throw CodedError("QST_ERR_STACK_RUNNING", "this stack runs already");
  }
  eal_enter_thread();
}

/// Without control_: whoever has it may wait for this thread.
void StackInstance::end_driving(uint32_t stack) {
  if (destroyed() || !parts_->shards->driven_here(stack)) return;
  parts_->shards->end_driving(stack);
  eal_leave_thread();
}

void StackInstance::destroy() {
  stop();
  const auto lock = take_control();
  if (destroyed_.exchange(true, std::memory_order_acq_rel) || parts_ == nullptr) return;
  parts_->arena_shared = arena_shared_;
  if (config_.device.ring.empty()) {
    parts_.reset();
    return;
  }
  leave_ring_end(config_.device.ring, config_.device.ring_side, std::move(parts_));
}

}  // namespace qstack::node
