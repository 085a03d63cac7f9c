#include "native/mcc/engine.hh"

#include <algorithm>
#include <utility>

#include "native/mempool/packet_pool.hh"

namespace qstack::mcc {

namespace {
// Work per step is bounded so that the stack's turn comes round every few dozen microseconds.
constexpr uint32_t kConnectBudget = 64;
/// All that is due after a stall of 100 ms at a million a second.
constexpr uint32_t kDueBudget = 100'000;
/// As many as a turn receives, so that replies do not keep messages from leaving.
constexpr uint32_t kSendBudget = 256;
constexpr uint32_t kCloseBudget = 128;
constexpr uint32_t kClosingMax = 4096;
constexpr uint16_t kPartials = 1024;
constexpr Nanos kThinkMax = 10'000'000;
}  // namespace

Engine::Engine(const EngineConfig& config, Network& network)
    : config_(config),
      network_(network),
      table_(config.connections, config.slots),
      addresses_(config.first_address, config.addresses, config.connections),
      connector_(config.connector, table_, addresses_, network),
      builder_(config.messages.empty() ? IotMessage(config.message_length, static_cast<uint8_t>(config.shares.size()))
                                       : MessageBuilder(config.messages)),
      choice_(config.seed, config.shares, config.level_per_message),
      stream_(make_reply_stream(config.reply, config.connections)),
      in_order_(stream_ != nullptr || (config.reply.kind == ReplyKind::echo && !builder_.counts())),
      assembler_(kPartials),
      pending_(config.pending_max),
      arrival_(config.clock, network.looks_between_events()) {}

// Commands.

void Engine::connect(Nanos now) {
  connector_.begin(now);
  set_phase(Phase::connecting, now);
}

void Engine::run(Plan plan, Nanos start, Nanos now) {
  plan.connections = table_.size();
  plan.seed = config_.seed;
  arrivals_ = make_arrivals(plan, start);
  run_start_ = start;
  run_end_ = start + plan.duration;
  last_answer_ = last_sign_ = start;
  ++run_;
  for (LevelStats& level : levels_) level.clear(start);
  mismatched_ = late_ = unexpected_ = 0;
  set_phase(Phase::running, now);
}

void Engine::stop_run(Nanos now) {
  if (phase_ != Phase::running) return;
  arrivals_.reset();
  run_end_ = now;
}

void Engine::close(Nanos now) {
  arrivals_.reset();
  connector_.stop();
  close_deadline_ = now + config_.close_max;
  set_phase(Phase::closing, now);
}

// Between turns.

uint32_t Engine::step(Nanos now) {
  now_ = now;
  uint32_t work = act_on_notes(now);
  work += connector_.step(now, kConnectBudget);
  collect_due(now);  // becomes work when it is sent: a generator that is blocked naps, and leaves its core to the server
  work += send_due(now);
  if (phase_ == Phase::closing) work += close_some(now);
  advance_phase(now);
  think();
  if (now >= publish_at_) publish(now);
  return work;
}

uint32_t Engine::act_on_notes(Nanos now) {
  take_held();
  uint32_t work = static_cast<uint32_t>(held_.size() + ended_.size() + garbled_.size() + worn_.size());
  for (const Held& held : held_) network_.release(held.handle, held.packet, held.length, now);
  for (Handle handle : ended_) network_.close(handle, now);
  for (Handle handle : garbled_) network_.abort(handle, now);
  for (uint32_t number : worn_) {
    if (table_.at(number).state != ConnectionState::open) continue;
    connector_.renew(number);
    network_.close(table_.at(number).handle, now);
  }
  worn_.clear();
  held_.clear();
  taken_ = 0;
  ended_.clear();
  garbled_.clear();
  return work;
}

void Engine::collect_due(Nanos now) {
  if (!arrivals_) return;
  std::array<Due, 32> due;
  for (uint32_t done = 0; done < kDueBudget;) {
    uint32_t n = 0;
    while (n < due.size() && pending_.room() > n && arrivals_->next(now, pending_.used() + n, due[n])) {
      table_.prefetch(due[n++].connection);
    }
    if (n == 0) return;
    for (uint32_t i = 0; i < n; ++i) enqueue(due[i]);
    done += n;
  }
}

void Engine::enqueue(const Due& due) {
  Connection& connection = table_.at(due.connection);
  uint8_t level = choice_.level(due.connection, connection.counter);
  ++levels_[level].counts.offered;
  if (connection.state != ConnectionState::open || connection.wear != Wear::none) {
    ++levels_[level].counts.failed;
    return;
  }
  freshen(connection);
  if (config_.reconnect_after != 0 && connection.counter % config_.reconnect_after == 0) connection.wear = Wear::last_due;
  uint32_t index = pending_.take();
  pending_.at(index) = {due.intended, kNoIndex, due.connection, connection.counter++, level, due.length};
  due_.push(pending_, index);
  ++waiting_;
}

/// In the order of the schedule: the priorities under test are the server's, also where the stack has no room.
uint32_t Engine::send_due(Nanos now) {
  uint32_t done = 0;
  while (uint32_t ahead = look_ahead(kSendBudget - done)) {
    for (; ahead > 0; --ahead, ++done) {
      if (!send_first(now)) return done;
    }
  }
  return done;
}

/// Prefetches what the next sends need: the connection, then its control block. Returns how many there are.
uint32_t Engine::look_ahead(uint32_t most) {
  std::array<uint32_t, 16> numbers;
  uint32_t n = 0;
  for (uint32_t index = due_.head; index != kNoIndex && n < numbers.size() && n < most; index = pending_.at(index).next) {
    numbers[n] = pending_.at(index).connection;
    table_.prefetch(numbers[n++]);
  }
  for (uint32_t i = 0; i < n; ++i) network_.prefetch(table_.at(numbers[i]).handle.slot);
  return n;
}

/// Takes the first waiting message away; false: it has to wait on, there is no packet.
bool Engine::send_first(Nanos now) {
  const uint32_t index = due_.head;
  const Pending record = pending_.at(index);
  Connection& connection = table_.at(record.connection);
  bool sent = false;
  if (connection.state == ConnectionState::open) {
    Packet* packet = network_.allocate();
    if (packet == nullptr) return false;
    write_message(packet, record);
    sent = network_.send(connection.handle, packet, now);
  }
  --waiting_;
  due_.pop(pending_);
  LevelCounts& counts = levels_[record.level].counts;
  ++(sent ? counts.sent : counts.failed);
  Nanos& send_delay = levels_[record.level].extremes.send_delay;
  send_delay = std::max(send_delay, now - record.intended);
  if (sent && awaited(record.level)) {
    link_sent(pending_, connection, index);
  } else {
    pending_.give(index);
  }
  if (sent && connection.wear == Wear::last_due && record.counter % config_.reconnect_after == 0) {
    connection.wear = Wear::last_sent;
    wear(connection, record.connection);
  }
  return true;
}

void Engine::write_message(Packet* packet, const Pending& record) {
  packet->data = PacketRegion::payload_start(packet);
  packet->payload = 0;
  packet->payload_length = static_cast<uint16_t>(length_of(record));
  packet->level = 0;
  builder_.write(packet->data, packet->payload_length, record.counter, record.level, junk_);
}

// Phases.

void Engine::advance_phase(Nanos now) {
  if (phase_ == Phase::connecting && connector_.connected() == table_.size()) {
    set_phase(Phase::ready, now);
  } else if (phase_ == Phase::running || phase_ == Phase::draining) {
    advance_run(now);
  } else if (phase_ == Phase::closing) {
    if (now >= close_deadline_) abort_closing(now);
    if (close_next_ == table_.size() && closing_ == 0) set_phase(Phase::closed, now);
  }
}

void Engine::advance_run(Nanos now) {
  bool exhausted = !arrivals_ || arrivals_->next_at() == kNever;
  if (phase_ == Phase::running && exhausted && now >= run_end_) {
    for (LevelStats& level : levels_) level.end_load(run_end_);
    set_phase(Phase::draining, now);
  }
  const bool drains = phase_ == Phase::draining;
  const bool answered = drains && pending_.used() == 0;
  last_sign_ = drains && network_.in_transit() != 0 ? now : std::max(last_sign_, last_answer_);
  const Nanos patience = std::min(std::max(run_end_, last_sign_) + config_.drain_pause, run_end_ + config_.drain_max);
  if (!answered && now < patience) return;
  abandon_due();
  abandon_waiting();
  if (!answered) abandon_unanswered();
  // What was sent and not answered stays counted as lost; replies that still come are late, see freshen().
  pending_.clear();
  ++run_;
  set_phase(Phase::ready, now);
}

/// The pool was full to the end: what the plan still had is offered and was never sent.
void Engine::abandon_due() {
  Due due;
  while (arrivals_ && arrivals_->next(run_end_, 0, due)) {
    LevelCounts& counts = levels_[choice_.level(due.connection, table_.at(due.connection).counter++)].counts;
    ++counts.offered;
    ++counts.unsent;
  }
  arrivals_.reset();
}

void Engine::abandon_waiting() {
  while (!due_.empty()) {
    const uint32_t index = due_.pop(pending_);
    ++levels_[pending_.at(index).level].counts.unsent;
    table_.at(pending_.at(index).connection).wear = Wear::none;
    pending_.give(index);
  }
  waiting_ = 0;
}

/// Where replies are told by their order alone, those that still come would answer requests of the next run; and a connection
/// that waits for its last reply would never be opened anew. Both begin again.
void Engine::abandon_unanswered() {
  for (uint32_t number = 0; number < table_.size(); ++number) {
    const Connection& connection = table_.at(number);
    if (connection.state != ConnectionState::open || connection.run != run_ || connection.oldest == kNoIndex) continue;
    if (in_order_ || connection.wear != Wear::none) garbled_.push_back(connection.handle);
  }
}

uint32_t Engine::close_some(Nanos now) {
  uint32_t done = 0;
  while (close_next_ < table_.size() && done < kCloseBudget && closing_ < kClosingMax) {
    Connection& connection = table_.at(close_next_++);
    bool open = connection.state == ConnectionState::open;
    if (!open && connection.state != ConnectionState::connecting) continue;
    if (open) {
      connector_.left();
      network_.close(connection.handle, now);
    } else {
      network_.abort(connection.handle, now);
    }
    connection.state = ConnectionState::closing;
    ++closing_;
    ++done;
  }
  return done;
}

void Engine::abort_closing(Nanos now) {
  for (uint32_t number = 0; number < table_.size(); ++number) {
    Connection& connection = table_.at(number);
    ConnectionState state = connection.state;
    if (state == ConnectionState::open) connector_.left();
    if (state != ConnectionState::open && state != ConnectionState::connecting && state != ConnectionState::closing) {
      continue;
    }
    connection.state = ConnectionState::closed;
    network_.abort(connection.handle, now);
  }
  close_next_ = table_.size();
  closing_ = 0;
}

void Engine::set_phase(Phase phase, Nanos now) {
  phase_ = phase;
  publish(now);
}

/// MCC's think time: the generator works for a while per reply. The result goes into the next messages' byte 9.
void Engine::think() {
  if (replies_to_think_about_ == 0 || config_.think_time == 0 || config_.clock == nullptr) return;
  Nanos until = config_.clock() + std::min(replies_to_think_about_ * config_.think_time, kThinkMax);
  replies_to_think_about_ = 0;
  uint32_t a = junk_, b = 1;
  while (config_.clock() < until) {
    for (int i = 0; i < 16; ++i) a = std::exchange(b, a + b);
  }
  junk_ = static_cast<uint8_t>(b % 127);
}

Nanos Engine::next_deadline() const {
  if (waiting_ > 0) return 0;
  Nanos next = publish_at_;
  if (arrivals_) next = std::min(next, arrivals_->next_at());
  return next;
}

// Snapshots.

LevelView Engine::view_of(uint8_t level) {
  LevelStats& stats = levels_[level];
  const LevelView view{stats.counts, stats.interval};
  stats.interval.clear();
  return view;
}

void Engine::publish(Nanos now) {
  View view;
  view.number = ++view_number_;
  view.phase = static_cast<uint64_t>(phase_);
  view.run = run_;
  view.elapsed_ns = run_start_ > 0 && now > run_start_ ? now - run_start_ : 0;
  view.answered_ns = last_answer_ - run_start_;
  view.connected = connector_.connected();
  view.retries = connector_.retries();
  view.reconnects = connector_.reconnects();
  view.mismatched = mismatched_;
  view.renewals = connector_.renewals();
  view.late = late_;
  view.unexpected = unexpected_;
  view.in_flight = pending_.used() - waiting_;
  view.waiting = waiting_;
  view.level_count = config_.shares.size();
  for (size_t level = 0; level < view.level_count; ++level) view.levels[level] = view_of(static_cast<uint8_t>(level));
  snapshot_.write(view);
  publish_at_ = now + kSecond;
}

}  // namespace qstack::mcc
