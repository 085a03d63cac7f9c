// Arrivals: which connection sends when. An arrival process knows intended times only, never what the network does.
//
// In: a plan and its start. Out: (connection, intended time) in order of time; whoever sends late keeps the intended
// time, so a stall of the generator is part of the latency (no coordinated omission).
// Times are Nanos throughout and are computed from the running number, so nothing accumulates a rounding error.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "native/mempool/packet.hh"

namespace qstack::mcc {

inline constexpr Nanos kNever = ~Nanos{0};

/// One message that has to leave.
struct Due {
  uint32_t connection = 0;
  Nanos intended = 0;
  uint16_t length = 0;  ///< of the message; 0: what the builder makes
};

enum class ArrivalKind : uint8_t { wave = 0, paced = 1, window = 2, poisson = 3, replay = 4 };

/// What a replay sends, in rounds: message n of round r at start + r * cycle + times[n].
struct Trace {
  std::vector<Nanos> times;       ///< ascending
  Nanos cycle = 1;                ///< of a round; more than the last of `times`
  std::vector<uint16_t> lengths;  ///< of each message; empty: what the builder makes
  std::vector<uint32_t> flows;    ///< of each message, which takes connection flow % connections; empty: in turns
};

/// What one run sends. Fields that a kind does not use are ignored.
struct Plan {
  ArrivalKind kind = ArrivalKind::wave;
  uint32_t connections = 1;
  uint32_t burst = 1;        ///< wave: messages per block
  Nanos epoch = kSecond;     ///< wave: time in which each connection sends once
  uint64_t rate = 1;         ///< paced, poisson: messages per second over all connections
  uint32_t window = 1;       ///< window: messages in flight over all connections (closed loop)
  Nanos duration = kSecond;  ///< sends are intended in [start, start + duration)
  uint64_t seed = 0;
  std::shared_ptr<const Trace> trace;  ///< replay
};

class Arrivals {
 public:
  virtual ~Arrivals() = default;
  /// Takes the next message that is due at `now`; false: none is. `in_flight` is what closed loops wait for.
  virtual bool next(Nanos now, uint64_t in_flight, Due& out) = 0;
  /// When next() may give something; kNever once the last message was given. A closed loop says 0 while it runs.
  virtual Nanos next_at() const = 0;
};

/// `plan.connections`, `burst`, `epoch`, `rate` and `window` are at least 1; a replay has a trace.
std::unique_ptr<Arrivals> make_arrivals(const Plan& plan, Nanos start);

/// Every connection in its turn, in a seeded order; a whole round comes before the first one comes again.
class SeededTurns {
 public:
  SeededTurns(uint32_t connections, uint64_t seed);
  uint32_t next() {
    const uint32_t number = turn_;
    turn_ = static_cast<uint32_t>((uint64_t{turn_} + stride_) % connections_);
    return number;
  }

 private:
  uint32_t connections_, stride_, turn_;
};

/// MCC's waves: block i of `burst` connections sends at start + i * epoch / blocks, and again every epoch.
/// The last block is shorter where burst does not divide the connections.
class WaveArrivals final : public Arrivals {
 public:
  WaveArrivals(const Plan& plan, Nanos start);
  bool next(Nanos now, uint64_t in_flight, Due& out) override;
  Nanos next_at() const override { return next_at_; }
  uint32_t blocks() const { return blocks_; }

 private:
  void advance();

  Nanos start_, end_, epoch_;
  uint32_t connections_, burst_, blocks_;
  uint64_t round_ = 0;       ///< epochs done
  uint32_t block_ = 0;       ///< block that sends now
  uint32_t connection_ = 0;  ///< next connection of all
  Nanos next_at_;
};

/// A constant rate; message n leaves at start + n / rate. The connections take turns in a seeded order.
class PacedArrivals final : public Arrivals {
 public:
  PacedArrivals(const Plan& plan, Nanos start);
  bool next(Nanos now, uint64_t in_flight, Due& out) override;
  Nanos next_at() const override { return next_at_; }

 private:
  Nanos start_, end_;
  uint64_t rate_;
  SeededTurns turns_;
  uint64_t count_ = 0;
  Nanos next_at_;
};

/// A Poisson process: exponential gaps of mean 1 / rate, each message on a connection drawn anew, so that each connection has a
/// Poisson process of its own. The same seed gives the same times: gaps are whole nanoseconds and a fraction that is carried on.
class PoissonArrivals final : public Arrivals {
 public:
  PoissonArrivals(const Plan& plan, Nanos start);
  bool next(Nanos now, uint64_t in_flight, Due& out) override;
  Nanos next_at() const override { return next_at_; }

 private:
  void advance();

  Nanos end_;
  double mean_ns_;
  uint64_t seed_, count_ = 0;
  uint32_t connections_;
  double fraction_ = 0;  ///< of a nanosecond, not yet in next_at_
  Nanos next_at_;
};

/// A trace, again and again until the duration is over.
class ReplayArrivals final : public Arrivals {
 public:
  ReplayArrivals(const Plan& plan, Nanos start);
  bool next(Nanos now, uint64_t in_flight, Due& out) override;
  Nanos next_at() const override { return next_at_; }

 private:
  uint32_t connection() { return trace_->flows.empty() ? turns_.next() : trace_->flows[at_] % connections_; }

  Nanos start_, end_;
  std::shared_ptr<const Trace> trace_;
  uint32_t connections_;
  SeededTurns turns_;
  uint64_t round_ = 0;
  size_t at_ = 0;  ///< in the round
  Nanos next_at_;
};

/// Closed loop: a message is due whenever fewer than `window` are in flight. For measuring capacity, not latency. The connections
/// take turns as those of a paced load do, which is then a share of the capacity for the same memory accesses.
class WindowArrivals final : public Arrivals {
 public:
  WindowArrivals(const Plan& plan, Nanos start);
  bool next(Nanos now, uint64_t in_flight, Due& out) override;
  Nanos next_at() const override { return over_ ? kNever : start_; }

 private:
  Nanos start_, end_;
  uint32_t window_;
  SeededTurns turns_;
  bool over_ = false;
};

}  // namespace qstack::mcc
