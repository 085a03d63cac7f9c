#include "native/mcc/schedule.hh"

#include <numeric>

#include "native/mcc/seed.hh"

namespace qstack::mcc {

std::unique_ptr<Arrivals> make_arrivals(const Plan& plan, Nanos start) {
  switch (plan.kind) {
    case ArrivalKind::wave:
      return std::make_unique<WaveArrivals>(plan, start);
    case ArrivalKind::paced:
      return std::make_unique<PacedArrivals>(plan, start);
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
  out = {connection_, next_at_};
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

PacedArrivals::PacedArrivals(const Plan& plan, Nanos start)
    : start_(start),
      end_(start + plan.duration),
      rate_(plan.rate),
      connections_(plan.connections),
      stride_(stride_for(plan.connections, plan.seed)),
      connection_(static_cast<uint32_t>(mix(plan.seed) % plan.connections)),
      next_at_(plan.duration > 0 ? start : kNever) {}

bool PacedArrivals::next(Nanos now, uint64_t, Due& out) {
  if (next_at_ > now) return false;
  out = {connection_, next_at_};
  connection_ = static_cast<uint32_t>((uint64_t{connection_} + stride_) % connections_);
  ++count_;
  next_at_ = start_ + count_ / rate_ * kSecond + count_ % rate_ * kSecond / rate_;
  if (next_at_ >= end_) next_at_ = kNever;
  return true;
}

WindowArrivals::WindowArrivals(const Plan& plan, Nanos start)
    : start_(start), end_(start + plan.duration), connections_(plan.connections), window_(plan.window) {}

bool WindowArrivals::next(Nanos now, uint64_t in_flight, Due& out) {
  over_ = over_ || now >= end_;
  if (over_ || now < start_ || in_flight >= window_) return false;
  out = {connection_, now};
  if (++connection_ == connections_) connection_ = 0;
  return true;
}

}  // namespace qstack::mcc
