#include "native/node/stack_instance.hh"

#include <arpa/inet.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "native/node/ring_wires.hh"

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

std::vector<uint64_t> hits_of(const RuleBook* rules) {
  if (rules == nullptr) return {};
  const std::span<const uint64_t> hits = rules->hits();
  return {hits.begin(), hits.end()};
}

ArenaConfig with_region(ArenaConfig arena, const DeviceConfig& device) {
  arena.region_bytes = Device::bytes(device);
  return arena;
}

}  // namespace

// An arena that JavaScript has seen is never unmapped: its buffers would point into nothing.
StackInstance::Parts::~Parts() {
  stack.reset();
  rings.reset();
  device.reset();
  if (!arena_shared || arena == nullptr) return;
  arena->discard();
  [[maybe_unused]] Arena* const kept = arena.release();
}

StackInstance::StackInstance(const InstanceConfig& config, const TouchProgress& progress)
    : config_(config), woken_(config.arena.apps) {
  for (uint32_t app = 0; app < config.arena.apps; ++app) wake_fds_.push_back(make_eventfd());
  parts_ = std::make_shared<Parts>();
  parts_->arena = std::make_unique<Arena>(with_region(config.arena, config.device));
  arena_ = parts_->arena.get();
  // Before the device's pools write to each of its packets, in this thread alone.
  touch(std::array{arena_->used_at_once()}, touch_threads(), progress);
  parts_->device = Device::make(config.device, arena_->region_memory());
  try {
    make_parts();
    touch_pools(progress);
  } catch (...) {
    if (!config.device.ring.empty()) leave_ring_end(config.device.ring, config.device.ring_side, std::move(parts_));
    throw;
  }
}

void StackInstance::make_parts() {
  Parts& parts = *parts_;
  arena_->set_region(parts.device->region());
  parts.rings = std::make_unique<AppRings>(*arena_, 0, parts.device->tx(), config_.stack.policy);
  parts.stack = std::make_unique<Stack>(config_.stack, parts.device->port(), parts.device->rx(), parts.device->tx(),
                                        *parts.rings);
  for (uint32_t app = 0; app < config_.arena.apps; ++app) parts.rings->attach(app, wake_fds_[app]);
  // The apps find TX packets. No turn yet: what the device has already would find no listener.
  parts.rings->drain(*parts.stack, monotonic_now());
  parts.rings->publish();
}

void StackInstance::touch_pools(const TouchProgress& progress) {
  const uint64_t before = arena_->used_at_once().bytes;
  std::vector<MemoryRegion> regions = parts_->stack->engine().memory();
  const auto by_slot = parts_->rings->memory();
  regions.insert(regions.end(), by_slot.begin(), by_slot.end());
  touch(regions, touch_threads(), [&](uint64_t bytes) {
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

void StackInstance::check_driver() const {
  if (driver_ && *driver_ != std::this_thread::get_id()) {
    throw CodedError("QST_ERR_STACK_DRIVEN", "this stack is driven by another thread: call from there");
  }
}

void StackInstance::call(const std::function<void()>& work) {
  const std::lock_guard lock(control_);
  check_alive();
  if (thread_) return thread_->call(work);
  check_driver();
  work();
}

uint16_t StackInstance::listen(const ListenerConfig& config) {
  int number = 0;
  call([&] {
    AppRings& rings = *parts_->rings;
    number = config.port == 0 ? rings.add_framing(config) : parts_->stack->listen(config);
    if (config.port == 0 && number == 0) number = -ENOBUFS;
    if (number >= 0 && config.port != 0) rings.set_framing(static_cast<uint16_t>(number), config);
  });
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
  call([&] { parts_->stack->unlisten(listener); });
}

std::vector<uint64_t> StackInstance::classify(Classifier classifier) {
  if (classifier.levels() > config_.arena.levels) {
    throw CodedError("QST_ERR_CLASSIFIER_INVALID", "the classifier has " + std::to_string(classifier.levels()) +
                                                       " levels, the stack has " +
                                                       std::to_string(config_.arena.levels));
  }
  auto rules = std::make_unique<RuleBook>(std::move(classifier));
  call([&] { rules = parts_->stack->replace_rules(std::move(rules)); });
  return hits_of(rules.get());
}

std::vector<uint64_t> StackInstance::rule_hits() {
  std::vector<uint64_t> hits;
  call([&] { hits = hits_of(parts_->stack->rules()); });
  return hits;
}

void StackInstance::schedule(const PolicyConfig& policy) {
  call([&] {
    parts_->stack->schedule(policy);
    parts_->rings->schedule(policy);
  });
}

CounterSnapshot StackInstance::counters() {
  CounterSnapshot out{};
  call([&] {
    Device& device = *parts_->device;
    out.counters = parts_->stack->counters();
    out.counters.add(Counter::bad_records, parts_->rings->bad_records());
    out.counters.add(Counter::stale_records, parts_->rings->stale_records());
    out.rx_free = device.rx().available();
    out.tx_free = device.tx().available();
    out.rx_packets = device.rx().capacity();
    out.tx_packets = device.tx().capacity();
    out.rx_with_apps = parts_->rings->rx_with_apps();
    out.tx_with_apps = parts_->rings->tx_with_apps();
    const TcpEngine& engine = parts_->stack->engine();
    out.control_blocks = engine.connections_used();
    out.busy_blocks = engine.busy_used();
    out.early_ranges = engine.early_used();
    out.ipv6_pairs = engine.ipv6_used();
    out.option_sets = static_cast<uint32_t>(engine.profiles_used());
    out.device = device.stats();
    out.faults = device.faults();
    out.link_up = device.port().link_up();
  });
  return out;
}

Sojourn StackInstance::sojourn() {
  Sojourn out;
  call([&] { out = parts_->stack->counters().sojourn; });
  return out;
}

HiccupProbe::Summary StackInstance::hiccups(bool reset) {
  const std::lock_guard lock(control_);
  check_alive();
  return thread_ ? thread_->hiccups(reset) : last_hiccups_;
}

uint32_t StackInstance::reclaim(uint32_t app) {
  uint32_t reset = 0;
  call([&] { reset = parts_->rings->reclaim(*parts_->stack, app, monotonic_now()); });
  return reset;
}

void StackInstance::attach_app(uint32_t app) {
  call([&] { parts_->rings->attach(app, wake_fds_[app]); });
}

void StackInstance::wake(uint32_t app) {
  woken_[app].store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fds_[app], &one, sizeof(one));
}

uint32_t StackInstance::turn_parts(Nanos now) {
  Parts& parts = *parts_;
  const uint32_t commands = parts.rings->drain(*parts.stack, now);
  const uint32_t work = parts.stack->turn(now);
  parts.rings->publish();
  return commands + work;
}

void StackInstance::run(const StackThreadConfig& config) {
  const std::lock_guard lock(control_);
  check_alive();
  if (thread_ || driver_) throw CodedError("QST_ERR_STACK_RUNNING", "this stack runs already");
  thread_ = std::make_unique<StackThread>([this](Nanos now) { return turn_parts(now); }, config);
}

void StackInstance::stop() {
  const std::lock_guard lock(control_);
  if (!thread_) return;
  last_hiccups_ = thread_->hiccups(false);
  thread_->stop();
  thread_.reset();
}

uint32_t StackInstance::turn(Nanos now) {
  check_alive();
  if (thread_) throw CodedError("QST_ERR_STACK_RUNNING", "this stack runs in its own thread");
  check_driver();
  return turn_parts(now);
}

void StackInstance::begin_driving() {
  const std::lock_guard lock(control_);
  check_alive();
  if (thread_ || driver_) throw CodedError("QST_ERR_STACK_RUNNING", "this stack runs already");
  driver_ = std::this_thread::get_id();
}

void StackInstance::end_driving() {
  const std::lock_guard lock(control_);
  driver_.reset();
}

void StackInstance::destroy() {
  stop();
  const std::lock_guard lock(control_);
  if (destroyed_.exchange(true, std::memory_order_acq_rel) || parts_ == nullptr) return;
  parts_->arena_shared = arena_shared_;
  if (config_.device.ring.empty()) {
    parts_.reset();
    return;
  }
  leave_ring_end(config_.device.ring, config_.device.ring_side, std::move(parts_));
}

}  // namespace qstack::node
