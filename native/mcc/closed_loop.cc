#include "native/mcc/closed_loop.hh"

#include <algorithm>
#include <cmath>

#include "native/mcc/message.hh"
#include "native/mcc/seed.hh"
#include "native/mempool/packet_pool.hh"

namespace qstack::mcc {

namespace {
// Work per step is bounded so that the network's turn comes round every few dozen microseconds.
constexpr uint32_t kOpensPerStep = 64;
constexpr uint32_t kAsksPerStep = 256;
constexpr uint32_t kLeavesPerStep = 128;
}  // namespace

ClosedLoop::ClosedLoop(const ClosedLoopConfig& config, Network& network)
    : config_(config),
      network_(network),
      addresses_(config.first_address, config.addresses, 1),
      request_(config.request.begin(), config.request.end()),
      flows_(config.connections),
      by_slot_(config.slots),
      arrival_(config.clock, network.looks_between_events()) {
  config_.length = std::max(config.length, kMessageMin);
  if (echoes()) request_.resize(config_.length);
  if (echoes()) IotMessage(config_.length).write(request_.data(), 0, 0, 0);
  for (uint32_t number = config.connections; number > 0; --number) free_.push_back(number - 1);
}

// Commands.

void ClosedLoop::connect(Nanos now) { set_phase(Phase::connecting, now); }

void ClosedLoop::run(Plan plan, Nanos start, Nanos now) {
  run_start_ = last_answer_ = last_sign_ = next_open_ = start;
  run_end_ = start + plan.duration;
  for (LevelStats& level : levels_) level.clear(start);
  bytes_ = mismatched_ = run_flows_ = 0;
  ++run_;
  plan_next_open();
  for (const Flow& flow : flows_) {
    if (flow.open) waiting_.push_back(flow.handle);
  }
  set_phase(Phase::running, now);
}

void ClosedLoop::stop_run(Nanos now) {
  if (phase_ == Phase::running) run_end_ = std::min(run_end_, now);
}

void ClosedLoop::close(Nanos now) {
  close_deadline_ = now + config_.close_max;
  for (uint32_t number = 0; number < flows_.size(); ++number) part(number);
  set_phase(Phase::closing, now);
}

// Between turns.

uint32_t ClosedLoop::step(Nanos now) {
  now_ = now;
  uint32_t work = act_on_notes(now);
  work += open_some(now);
  work += ask_some(now);
  advance_phase(now);
  if (now >= publish_at_) publish(now);
  return work;
}

uint32_t ClosedLoop::act_on_notes(Nanos now) {
  auto work = static_cast<uint32_t>(held_.size() + strange_.size());
  for (const Held& held : held_) network_.release(held.handle, held.packet, held.length, now);
  held_.clear();
  for (Handle handle : strange_) network_.abort(handle, now);
  closes_ += static_cast<int64_t>(strange_.size());
  strange_.clear();
  for (uint32_t done = 0; !leaving_.empty() && done < kLeavesPerStep; ++done, ++work, ++closes_) {
    network_.close(leaving_.front(), now);
    leaving_.pop_front();
  }
  return work;
}

/// How many more connections there ought to be.
uint64_t ClosedLoop::opens_wanted(Nanos now) const {
  if (phase_ == Phase::connecting) return lasting() ? free_.size() : (probed_ || connecting_ > 0 ? 0 : 1);
  if (!sending(now)) return 0;
  return config_.flows == 0 ? free_.size() : std::min<uint64_t>(free_.size(), config_.flows - run_flows_);
}

uint32_t ClosedLoop::open_some(Nanos now) {
  const uint64_t wanted = std::min<uint64_t>(opens_wanted(now), kOpensPerStep);
  const bool poisson = config_.opens_per_s > 0 && phase_ == Phase::running;
  uint32_t done = 0;
  for (; done < wanted && now >= retry_at_ && connecting_ < config_.connecting_max; ++done) {
    if (poisson && next_open_ > now) break;
    if (!open(poisson ? next_open_ : now, now)) break;
    if (poisson) plan_next_open();
  }
  return done;
}

/// The intervals of a Poisson process are exponential; those for which no connection was free are counted from all the same.
void ClosedLoop::plan_next_open() {
  if (config_.opens_per_s <= 0) return;
  const double uniform = (static_cast<double>(mix(config_.seed, ++drawn_) >> 11) + 0.5) / 0x1p53;
  next_open_ += static_cast<Nanos>(-std::log(uniform) / config_.opens_per_s * static_cast<double>(kSecond));
}

bool ClosedLoop::open(Nanos intended, Nanos now) {
  const uint32_t number = free_.back();
  const Endpoint local = addresses_.at(static_cast<uint32_t>(opens_++ % addresses_.pairs()), 0);
  const Handle handle = network_.connect(local, number, now);
  if (handle.slot == kNoIndex) {
    ++retries_;
    retry_at_ = now + config_.retry;
    return false;
  }
  free_.pop_back();
  by_slot_.set(handle.slot, number);
  Flow& flow = flows_[number];
  flow.handle = handle;
  flow.began = intended;
  flow.counts = phase_ == Phase::running && !lasting();
  ++connecting_;
  if (!flow.counts) return true;
  ++run_flows_;
  ++levels_[kConnections].counts.offered;
  ++levels_[kConnections].counts.sent;
  return true;
}

uint32_t ClosedLoop::ask_some(Nanos now) {
  uint32_t done = 0;
  while (!waiting_.empty() && done < kAsksPerStep && sending(now)) {
    const uint32_t number = number_of(waiting_.front());
    if (number != kNoIndex && flows_[number].open) {
      Packet* const packet = network_.allocate();
      if (packet == nullptr) break;
      ask(flows_[number], packet, now);
      ++done;
    }
    waiting_.pop_front();
  }
  return done;
}

void ClosedLoop::ask(Flow& flow, Packet* packet, Nanos now) {
  flow.length = static_cast<uint16_t>(request_.size());
  if (config_.random_length) {
    const uint32_t lengths = config_.length - kMessageMin + 1u;
    flow.length = static_cast<uint16_t>(kMessageMin + mix(config_.seed, counter_, 1) % lengths);
  }
  flow.counter = counter_++;
  flow.got = 0;
  packet->data = PacketRegion::payload_start(packet);
  packet->payload = 0;
  packet->payload_length = flow.length;
  packet->level = 0;
  std::copy_n(request_.data(), flow.length, packet->data);
  if (echoes()) {
    for (int i = 0; i < 4; ++i) packet->data[i] = static_cast<uint8_t>(flow.counter >> (8 * i));
  }
  LevelCounts& counts = levels_[kRequests].counts;
  ++counts.offered;
  if (!network_.send(flow.handle, packet, now)) {
    ++counts.failed;
    return;
  }
  ++counts.sent;
  flow.asked = now;
  ++asking_;
}

Nanos ClosedLoop::next_deadline() const {
  if (!waiting_.empty() && phase_ == Phase::running) return 0;
  const bool poisson = config_.opens_per_s > 0 && phase_ == Phase::running;
  return poisson ? std::min(publish_at_, next_open_) : publish_at_;
}

// Phases.

void ClosedLoop::advance_phase(Nanos now) {
  if (phase_ == Phase::connecting && (lasting() ? open_ == flows_.size() : probed_)) set_phase(Phase::ready, now);
  if (phase_ == Phase::running) {
    const bool all = config_.flows != 0 && run_flows_ == config_.flows && free_.size() == flows_.size();
    if (all) run_end_ = std::min(run_end_, now);
    if (now >= run_end_) {
      abandon_opens();
      for (LevelStats& level : levels_) level.end_load(run_end_);
      set_phase(Phase::draining, now);
    }
  }
  if (phase_ == Phase::draining && (asking_ == 0 || now >= std::max(run_end_, last_sign_) + config_.drain_pause)) end_run(now);
  if (phase_ == Phase::closing && ((closes_ <= 0 && leaving_.empty() && strange_.empty()) || now >= close_deadline_)) {
    set_phase(Phase::closed, now);
  }
}

/// Those that were due before the end, and found no place or no time: an open loop that kept silent about them would look as if
/// the server had taken all that it was offered.
void ClosedLoop::abandon_opens() {
  LevelCounts& counts = levels_[kConnections].counts;
  while (config_.opens_per_s > 0 && next_open_ < run_end_ && (config_.flows == 0 || run_flows_ < config_.flows)) {
    plan_next_open();
    ++run_flows_;
    ++counts.offered;
    ++counts.unsent;
  }
}

/// Connections whose requests are not all made were cut by the end of the run: they are neither done nor lost.
void ClosedLoop::end_run(Nanos now) {
  waiting_.clear();
  for (uint32_t number = 0; number < flows_.size(); ++number) {
    Flow& flow = flows_[number];
    if (flow.counts) {
      --levels_[kConnections].counts.offered;
      --levels_[kConnections].counts.sent;
    }
    // What a reply still owes would be taken for the reply of another run.
    if (!lasting() || flow.asked != 0) part(number);
  }
  set_phase(Phase::ready, now);
}

void ClosedLoop::set_phase(Phase phase, Nanos now) {
  phase_ = phase;
  publish(now);
}

void ClosedLoop::publish(Nanos now) {
  View view;
  view.number = ++view_number_;
  view.phase = static_cast<uint64_t>(phase_);
  view.run = run_;
  view.elapsed_ns = run_start_ > 0 && now > run_start_ ? now - run_start_ : 0;
  view.answered_ns = last_answer_ - run_start_;
  view.connected = open_;
  view.retries = retries_;
  view.reconnects = reconnects_;
  view.mismatched = mismatched_;
  view.in_flight = asking_;
  view.waiting = waiting_.size();
  view.level_count = lasting() ? kConnections : kConnections + 1u;
  for (size_t level = 0; level < view.level_count; ++level) {
    LevelStats& stats = levels_[level];
    view.levels[level] = {stats.counts, stats.interval};
    stats.interval.clear();
  }
  snapshot_.write(view);
  publish_at_ = now + kSecond;
}

}  // namespace qstack::mcc
