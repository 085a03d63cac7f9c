#include "native/redis/shard.hh"

#include <algorithm>
#include <numeric>

namespace qstack::redis {
namespace {

constexpr size_t kPieces = 128;
constexpr Nanos kSweep = 10'000'000;
/// A connection without commands in flight is read so often, to see that the server has closed it.
constexpr Nanos kIdleRead = 1'000'000;
constexpr uint32_t kReadsPerPoll = 8;

}  // namespace

Shard::Shard(const ShardConfig& config, uint16_t number, int epoll_fd, PendingPool& pool, PlaceHeap& commands,
             Completer& completer, Redirector* redirector)
    : config_(config),
      number_(number),
      connection_(config.address, epoll_fd, number),
      pool_(pool),
      commands_(commands),
      completer_(completer),
      redirector_(redirector),
      limit_(config.inflight_low_min, config.inflight_low_max),
      policy_(config.policy, config.levels, kQuantum, kBurst, kBurst),
      backoff_(config.backoff_min) {}

void Shard::submit(uint32_t index) { waiting_[pool_.at(index).level].push_back(pool_, index); }

void Shard::schedule(const PolicyConfig& policy) {
  config_.policy = policy;
  policy_ = SchedulingPolicy(policy, config_.levels, kQuantum, kBurst, kBurst);
}

void Shard::take_waiting(PendingList& into) {
  for (PendingList& list : waiting_)
    while (!list.empty()) into.push_back(pool_, list.pop_front(pool_));
}

void Shard::poll(Nanos now, std::span<uint8_t> buffer) {
  if (!connected() && (wanted_ || has_pending())) connect(now);
  if (connected() && !read(now, buffer)) disconnect(now);
  if (connected()) write(now);
  if (now >= next_sweep_) expire(now);
}

void Shard::connect(Nanos now) {
  using State = Connection::State;
  const State before = connection_.state();
  if (before == State::closed && now < retry_at_) return;
  const State after = before == State::closed ? connection_.open() : connection_.progress();
  if (before == State::closed) {
    retry_at_ = now + backoff_;
    backoff_ = std::min(2 * backoff_, config_.backoff_max);
  }
  if (after == State::connecting && now >= retry_at_) connection_.close();
  if (after != State::open) return;
  ++stats_.connects;
  reader_.reset();
  stalled_ = false;
}

void Shard::disconnect(Nanos now) {
  connection_.close();
  ++stats_.disconnects;
  lose_in_flight(to_stamp(now));
  stalled_ = false;
  retry_at_ = now + backoff_;
  backoff_ = std::min(2 * backoff_, config_.backoff_max);
}

/// What the server may have seen is lost; what has not left goes back to the front of its level.
void Shard::lose_in_flight(Stamp now) {
  PendingList unsent;
  while (!in_flight_.empty()) {
    const uint32_t index = in_flight_.pop_front(pool_);
    Pending& entry = pool_.at(index);
    if (entry.written == 0 && !entry.answered) {
      unsent.push_front(pool_, index);
      --stats_.sent;
      continue;
    }
    if (!entry.answered) completer_.fail(entry, number_, abi::RedisStatus::lost, now), ++stats_.lost;
    release(index);
  }
  while (!unsent.empty()) {
    const uint32_t index = unsent.pop_front(pool_);
    waiting_[pool_.at(index).level].push_front(pool_, index);
  }
  first_unsent_ = kNoIndex;
  unsent_bytes_ = 0;
  in_flight_by_level_.fill(0);
}

void Shard::release(uint32_t index) {
  commands_.release(pool_.at(index).place.id);
  pool_.give_back(index);
}

/// A starved level does not wait for what a higher one has left in front of the socket.
bool Shard::may_send(uint32_t level, bool starved) const {
  if (!is_limited(level)) return unsent_bytes_ < config_.unsent_max;
  const bool by_level = config_.policy.kind == PolicyKind::strict;
  const uint32_t in_flight = by_level ? in_flight_below_0(level) : in_flight_.size();
  return unsent_bytes_ < (starved ? config_.unsent_max : config_.unsent_low_max) && in_flight < limit_.value();
}

/// Those of lower levels that go before `level`, and its own: what is lower still does not hold it back.
uint32_t Shard::in_flight_below_0(uint32_t level) const {
  return std::accumulate(in_flight_by_level_.begin() + 1, in_flight_by_level_.begin() + level + 1, 0u);
}

/// Bit L: commands of level L wait.
uint32_t Shard::waiting_levels() const {
  uint32_t mask = 0;
  for (uint32_t level = 0; level < config_.levels; ++level) mask |= uint32_t{!waiting_[level].empty()} << level;
  return mask;
}

bool Shard::limit_holds_back() const {
  const uint32_t mask = waiting_levels();
  return (is_limited(0) ? mask : mask & ~1u) != 0;
}

void Shard::fill_in_flight(Stamp now) {
  const auto since = [this](uint32_t level) { return pool_.at(waiting_[level].head()).since; };
  uint32_t mask = waiting_levels();
  if (mask != 0) policy_.begin(mask, now, since);
  while (mask != 0) {
    const auto [level, most] = policy_.next(mask, since);
    const uint32_t moved = move_in_flight(level, most);
    policy_.charge(level, moved);
    if (moved == 0) policy_.give_back(level);
    const bool held = moved < most && !waiting_[level].empty();
    if (held && is_limited(0)) break;  // the limit is that of all levels
    if (held || waiting_[level].empty()) mask &= ~(1u << level);
  }
}

/// Moves what waits and may be sent, `most` at most. Returns how many. Under `strict` only a starved level has a bound.
uint32_t Shard::move_in_flight(uint32_t level, uint32_t most) {
  const bool starved = !is_limited(0) && most != UINT32_MAX;
  uint32_t moved = 0;
  for (; moved < most && !waiting_[level].empty() && may_send(level, starved); ++moved) {
    const uint32_t index = waiting_[level].pop_front(pool_);
    in_flight_.push_back(pool_, index);
    if (first_unsent_ == kNoIndex) first_unsent_ = index;
    unsent_bytes_ += pool_.at(index).length;
    ++in_flight_by_level_[level];
    ++stats_.sent;
  }
  return moved;
}

size_t Shard::gather(iovec* pieces) const {
  size_t count = 0;
  for (uint32_t index = first_unsent_; index != kNoIndex && count < kPieces; index = pool_.at(index).next) {
    const Pending& entry = pool_.at(index);
    pieces[count++] = {entry.unsent(), entry.length - entry.written};
  }
  return count;
}

void Shard::note_written(size_t n) {
  stats_.bytes_out += n;
  unsent_bytes_ -= n;
  while (n != 0) {
    Pending& entry = pool_.at(first_unsent_);
    const auto part = static_cast<uint32_t>(std::min<size_t>(n, entry.length - entry.written));
    entry.written += part;
    n -= part;
    if (entry.written == entry.length) first_unsent_ = entry.next;
  }
}

void Shard::write(Nanos now) {
  iovec pieces[kPieces];
  for (;;) {
    fill_in_flight(to_stamp(now));
    const size_t count = gather(pieces);
    size_t n = 0;
    if (count == 0) return;
    const Connection::Result result = connection_.write(pieces, count, n);
    if (result == Connection::Result::gone) return disconnect(now);
    if (result == Connection::Result::blocked) return;
    note_written(n);
  }
}

bool Shard::read(Nanos now, std::span<uint8_t> buffer) {
  const uint64_t before = stats_.replied;
  const bool right = read_replies(now, buffer);
  const auto taken = static_cast<uint32_t>(stats_.replied - before);
  if (taken != 0 && limit_holds_back()) limit_.looked(taken, in_flight_.size(), now);
  return right;
}

bool Shard::read_replies(Nanos now, std::span<uint8_t> buffer) {
  if (stalled_ && !take_replies(now)) return false;
  if (stalled_ || (in_flight_.empty() && now < next_idle_read_)) return true;
  next_idle_read_ = now + kIdleRead;
  for (uint32_t i = 0; i < kReadsPerPoll && !stalled_; ++i) {
    size_t n = 0;
    const Connection::Result result = connection_.read(buffer, n);
    if (result != Connection::Result::moved) return result == Connection::Result::blocked;
    stats_.bytes_in += n;
    if (!reader_.feed(buffer.first(n)) || !take_replies(now)) return false;
    if (n < buffer.size()) break;
  }
  return true;
}

/// A reply belongs to the oldest command; one that has not left as a whole cannot have been answered, but its ASKING can.
bool Shard::asked() const {
  if (in_flight_.empty()) return false;
  const Pending& first = pool_.at(in_flight_.head());
  return in_flight_.head() != first_unsent_ || (first.asking && first.written >= kAsking.size());
}

/// False: what came is no reply, or a reply that nobody has asked for.
bool Shard::take_replies(Nanos now) {
  Reply reply;
  for (;;) {
    stalled_ = !completer_.has_room() && reader_.buffered() != 0;
    if (stalled_) return true;
    const ReplyReader::Next next = reader_.next(reply);
    if (next != ReplyReader::Next::reply) return next == ReplyReader::Next::more;
    if (!asked()) return false;
    finish_first(reply, to_stamp(now));
  }
}

void Shard::finish_first(const Reply& reply, Stamp now) {
  const uint32_t index = in_flight_.head();
  Pending& entry = pool_.at(index);
  if (entry.asking) {
    entry.asking = false;
    return;
  }
  in_flight_.pop_front(pool_);
  --in_flight_by_level_[entry.level];
  backoff_ = config_.backoff_min;
  ++stats_.replied;
  if (reply.type == abi::RedisType::error && redirected(index, reply)) return;
  stats_.errors += reply.type == abi::RedisType::error ? 1 : 0;
  stats_.too_big += reply.too_big ? 1 : 0;
  if (entry.answered) {
    ++stats_.discarded;
  } else {
    completer_.finish(entry, number_, reply, now);
  }
  release(index);
}

bool Shard::redirected(uint32_t index, const Reply& reply) {
  if (redirector_ == nullptr || pool_.at(index).answered) return false;
  if (passes_by(reply.bytes)) {
    const bool again = redirector_->retry(index);
    stats_.retried += again ? 1 : 0;
    return again;
  }
  const auto to = parse_redirect(reply.bytes);
  if (!to || !redirector_->redirect(index, *to, config_.address)) return false;
  ++(to->ask ? stats_.asked : stats_.moved);
  return true;
}

void Shard::expire_waiting(PendingList& list, Nanos now) {
  PendingList kept;
  while (!list.empty()) {
    const uint32_t index = list.pop_front(pool_);
    if (pool_.at(index).deadline > now) {
      kept.push_back(pool_, index);
      continue;
    }
    completer_.fail(pool_.at(index), number_, abi::RedisStatus::timeout, to_stamp(now));
    ++stats_.timeouts;
    release(index);
  }
  list = kept;
}

void Shard::expire(Nanos now) {
  next_sweep_ = now + kSweep;
  for (PendingList& list : waiting_) expire_waiting(list, now);
  for (uint32_t index = in_flight_.head(); index != kNoIndex; index = pool_.at(index).next) {
    Pending& entry = pool_.at(index);
    if (entry.answered || entry.deadline > now) continue;
    completer_.fail(entry, number_, abi::RedisStatus::timeout, to_stamp(now));
    ++stats_.timeouts;
    entry.answered = true;
  }
  const bool dead = !in_flight_.empty() && now > pool_.at(in_flight_.head()).deadline + config_.stall_max;
  if (dead && connected()) disconnect(now);
}

bool Shard::has_pending() const {
  return !in_flight_.empty() ||
         std::any_of(waiting_.begin(), waiting_.end(), [](const PendingList& list) { return !list.empty(); });
}

Nanos Shard::deadline() const {
  if (has_pending()) return connected() ? next_sweep_ : std::min(next_sweep_, retry_at_);
  return connected() || !wanted_ ? 0 : retry_at_;
}

}  // namespace qstack::redis
