#include "native/mcc/schedule.hh"

#include <cmath>
#include <numeric>

#include "native/mcc/seed.hh"

namespace qstack::mcc {

std::unique_ptr<Arrivals> make_arrivals(const Plan& plan, Nanos start) {
  switch (plan.kind) {
    case ArrivalKind::wave:
      return std::make_unique<WaveArrivals>(plan, start);
    case ArrivalKind::paced:
      return std::make_unique<PacedArrivals>(plan, start);
    case ArrivalKind::poisson:
      return std::make_unique<PoissonArrivals>(plan, start);
    case ArrivalKind::replay:
      return std::make_unique<ReplayArrivals>(plan, start);
    case ArrivalKind::window:
      break;
  }
  return std::make_unique<WindowArrivals>(plan, start);
}

WaveArrivals::WaveArrivals(const Plan& plan, Nanos start)
    : start_(start),
      end_(start + plan.duration),
      epoch_(plan.epoch),
      connections_(plan.connections),
      burst_(plan.burst),
      blocks_((plan.connections - 1) / plan.burst + 1),
      next_at_(plan.duration > 0 ? start : kNever) {}

bool WaveArrivals::next(Nanos now, uint64_t, Due& out) {
  if (next_at_ > now) return false;
  out = {connection_, next_at_, 0};
  if (++connection_ == connections_ || connection_ % burst_ == 0) advance();
  return true;
}

void WaveArrivals::advance() {
  if (++block_ == blocks_) {
    block_ = 0;
    connection_ = 0;
    ++round_;
  }
  // epoch * block stays below 2^64 for a day's epoch and 200,000 blocks; longer ones are split before multiplying.
  Nanos within = epoch_ / blocks_ * block_ + epoch_ % blocks_ * block_ / blocks_;
  next_at_ = start_ + round_ * epoch_ + within;
  if (next_at_ >= end_) next_at_ = kNever;
}

namespace {

/// A step that visits every one of `n` connections before it comes back: coprime to n, chosen by the seed.
uint32_t stride_for(uint32_t n, uint64_t seed) {
  if (n < 3) return 1;
  uint32_t stride = 1 + static_cast<uint32_t>(mix(seed, n) % (n - 1));
  while (std::gcd(stride, n) != 1) ++stride;
  return stride;
}

}  // namespace

SeededTurns::SeededTurns(uint32_t connections, uint64_t seed)
    : connections_(connections),
      stride_(stride_for(connections, seed)),
      turn_(static_cast<uint32_t>(mix(seed) % connections)) {}

PacedArrivals::PacedArrivals(const Plan& plan, Nanos start)
    : start_(start),
      end_(start + plan.duration),
      rate_(plan.rate),
      turns_(plan.connections, plan.seed),
      next_at_(plan.duration > 0 ? start : kNever) {}

bool PacedArrivals::next(Nanos now, uint64_t, Due& out) {
  if (next_at_ > now) return false;
  out = {turns_.next(), next_at_, 0};
  ++count_;
  next_at_ = start_ + count_ / rate_ * kSecond + count_ % rate_ * kSecond / rate_;
  if (next_at_ >= end_) next_at_ = kNever;
  return true;
}

PoissonArrivals::PoissonArrivals(const Plan& plan, Nanos start)
    : end_(start + plan.duration),
      mean_ns_(static_cast<double>(kSecond) / static_cast<double>(plan.rate)),
      seed_(plan.seed),
      connections_(plan.connections),
      next_at_(start) {
  advance();
}

bool PoissonArrivals::next(Nanos now, uint64_t, Due& out) {
  if (next_at_ > now) return false;
  out = {static_cast<uint32_t>(mix(seed_, count_, 1) % connections_), next_at_, 0};
  advance();
  return true;
}

/// Adds a gap by inversion: -ln(u) of a u in (0, 1) that 53 bits are drawn for.
void PoissonArrivals::advance() {
  constexpr double kUnit = 1.0 / (uint64_t{1} << 53);
  const double u = (static_cast<double>(mix(seed_, ++count_, 0) >> 11) + 0.5) * kUnit;
  fraction_ += -std::log(u) * mean_ns_;
  const double whole = std::floor(fraction_);
  fraction_ -= whole;
  next_at_ += static_cast<Nanos>(whole);
  if (next_at_ >= end_) next_at_ = kNever;
}

ReplayArrivals::ReplayArrivals(const Plan& plan, Nanos start)
    : start_(start),
      end_(start + plan.duration),
      trace_(plan.trace),
      connections_(plan.connections),
      turns_(plan.connections, plan.seed),
      next_at_(!trace_->times.empty() && trace_->times.front() < plan.duration ? start + trace_->times.front() : kNever) {}

bool ReplayArrivals::next(Nanos now, uint64_t, Due& out) {
  if (next_at_ > now) return false;
  out = {connection(), next_at_, trace_->lengths.empty() ? uint16_t{0} : trace_->lengths[at_]};
  if (++at_ == trace_->times.size()) {
    at_ = 0;
    ++round_;
  }
  next_at_ = start_ + round_ * trace_->cycle + trace_->times[at_];
  if (next_at_ >= end_) next_at_ = kNever;
  return true;
}

WindowArrivals::WindowArrivals(const Plan& plan, Nanos start)
    : start_(start), end_(start + plan.duration), window_(plan.window), turns_(plan.connections, plan.seed) {}

bool WindowArrivals::next(Nanos now, uint64_t in_flight, Due& out) {
  over_ = over_ || now >= end_;
  if (over_ || now < start_ || in_flight >= window_) return false;
  out = {turns_.next(), now, 0};
  return true;
}

}  // namespace qstack::mcc
