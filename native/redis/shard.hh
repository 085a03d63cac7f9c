// Shard: the pipeline to one Redis server.
//
//   waiting[0] waiting[1] …  ──by the policy──▶  in flight (FIFO: sent ┆ being sent)  ──replies in order──▶ completions
//
// In: commands of a level, the time. Out: one completion each: a reply; `lost` for what was sent before the connection
// broke; `timeout` for what waited too long. Invariant: replies belong to in-flight commands in order, so a command
// that has timed out in flight stays in the list until its reply is read and thrown away. Which level goes next is the
// policy's word; its work is counted in commands. Under `strict` lower levels have only so many commands in flight as keep
// the server busy, else priority would end in its socket queue; under the other policies that holds for all levels
// together. In a cluster a redirection is no reply: the command goes on to another shard, or waits until the cluster can answer, and only
// its last outcome is a completion. Times come from the caller.
#pragma once

#include <array>
#include <memory>

#include "native/redis/completer.hh"
#include "native/redis/connection.hh"
#include "native/redis/queue_limit.hh"
#include "native/redis/redirect.hh"
#include "native/sched/scheduling_policy.hh"

namespace qstack::redis {

struct ShardConfig {
  Address address;
  uint32_t levels = kLevelsMax;
  PolicyConfig policy;
  uint32_t inflight_low_min = 64;       ///< commands that are limited in flight: never fewer are possible
  uint32_t inflight_low_max = 4'096;    ///< and never more
  uint32_t unsent_max = 256 * 1024;     ///< bytes that wait in flight for the socket
  uint32_t unsent_low_max = 64 * 1024;  ///< the same, before a level that is limited adds more
  Nanos backoff_min = 50'000'000;
  Nanos backoff_max = 1'000'000'000;
  Nanos stall_max = 1'000'000'000;  ///< the oldest command waits so long past its deadline: the connection is dead
};

struct ShardStats {
  uint64_t moved = 0, asked = 0;  ///< replies that were redirections
  uint64_t retried = 0;           ///< replies that were TRYAGAIN or CLUSTERDOWN, after which the command was sent again
  uint64_t sent = 0, replied = 0, errors = 0, lost = 0, timeouts = 0, discarded = 0, too_big = 0;
  uint64_t connects = 0, disconnects = 0, bytes_in = 0, bytes_out = 0;
};

/// Who knows the other shards.
class Redirector {
 public:
  virtual ~Redirector() = default;
  /// Takes a command over to the shard that `error` names. False: it names none that can be reached, or not any more.
  virtual bool redirect(uint32_t index, const Redirect& to, const Address& from) = 0;
  /// Takes a command over to send it again in a while. False: its time is over before.
  virtual bool retry(uint32_t index) = 0;
};

class Shard {
 public:
  /// Commands of a starved level under `strict`.
  static constexpr uint32_t kQuantum = 16;
  /// Commands between two looks at deadlines or shares; those of the smallest weight in one round.
  static constexpr uint32_t kBurst = 4;

  Shard(const ShardConfig& config, uint16_t number, int epoll_fd, PendingPool& pool, PlaceHeap& commands,
        Completer& completer, Redirector* redirector = nullptr);

  /// The entry's bytes are complete. It is sent at the next poll, as far as its level may.
  void submit(uint32_t index);
  /// Connects, writes, reads, looks after deadlines. `buffer` is room to read into.
  void poll(Nanos now, std::span<uint8_t> buffer);

  /// Nobody connects to a server that is not wanted before a command waits for it.
  void set_wanted(bool wanted) { wanted_ = wanted; }
  /// By another policy from the next poll on; what waits and what is in flight stays.
  void schedule(const PolicyConfig& policy);
  /// Hands over what waits, of all levels.
  void take_waiting(PendingList& into);

  const Address& address() const { return config_.address; }
  bool connected() const { return connection_.state() == Connection::State::open; }
  /// Replies lie here that had no place; they go on when one is given back.
  bool stalled() const { return stalled_; }
  uint32_t in_flight() const { return in_flight_.size(); }
  uint32_t waiting(uint8_t level) const { return waiting_[level].size(); }
  /// Commands of limited levels that may be in flight now.
  uint32_t inflight_low_limit() const { return limit_.value(); }
  const ShardStats& stats() const { return stats_; }
  /// When poll() has something to do at the latest, without anything from the server; 0: never.
  Nanos deadline() const;
  Connection& connection() { return connection_; }
  int last_error() const { return connection_.last_error(); }

 private:
  void connect(Nanos now);
  void disconnect(Nanos now);
  void lose_in_flight(Stamp now);
  void fill_in_flight(Stamp now);
  uint32_t move_in_flight(uint32_t level, uint32_t most);
  uint32_t in_flight_below_0(uint32_t level) const;
  uint32_t waiting_levels() const;
  bool is_limited(uint32_t level) const { return level != 0 || config_.policy.kind != PolicyKind::strict; }
  bool limit_holds_back() const;
  bool may_send(uint32_t level, bool starved) const;
  void write(Nanos now);
  size_t gather(struct iovec* pieces) const;
  void note_written(size_t n);
  bool read(Nanos now, std::span<uint8_t> buffer);
  bool read_replies(Nanos now, std::span<uint8_t> buffer);
  bool take_replies(Nanos now);
  bool asked() const;
  void finish_first(const Reply& reply, Stamp now);
  bool redirected(uint32_t index, const Reply& reply);
  void expire(Nanos now);
  void expire_waiting(PendingList& list, Nanos now);
  void release(uint32_t index);
  bool has_pending() const;

  ShardConfig config_;
  uint16_t number_;
  Connection connection_;
  PendingPool& pool_;
  PlaceHeap& commands_;
  Completer& completer_;
  Redirector* redirector_;
  ReplyReader reader_;
  std::array<PendingList, kLevelsMax> waiting_;
  PendingList in_flight_;
  uint32_t first_unsent_ = kNoIndex;  ///< first entry in flight with bytes that the socket has not taken
  uint64_t unsent_bytes_ = 0;
  std::array<uint32_t, kLevelsMax> in_flight_by_level_{};
  QueueLimit limit_;
  SchedulingPolicy policy_;
  Nanos retry_at_ = 0;
  Nanos backoff_;
  Nanos next_sweep_ = 0;
  Nanos next_idle_read_ = 0;
  bool stalled_ = false;
  bool wanted_ = true;
  ShardStats stats_;
};

}  // namespace qstack::redis
