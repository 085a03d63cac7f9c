// CUBIC (RFC 9438), with HyStart++ (RFC 9406) in the first slow start.
//
// The window is a cubic function of the time since the last reduction, flat around the window where that happened; where
// NewReno would grow faster, it grows like NewReno. Windows in formulas are in segments, times in seconds.
#include <algorithm>
#include <cmath>

#include "native/tcp/congestion.hh"

namespace qstack {
namespace cubic {

constexpr float kC = 0.4f;     // RFC 9438 5.1
constexpr float kBeta = 0.7f;  // RFC 9438 4.6
constexpr float kAlpha = 3 * (1 - kBeta) / (1 + kBeta);

// RFC 9406 4.3.
constexpr uint32_t kMinRttThreshUs = 4'000, kMaxRttThreshUs = 16'000, kMinRttDivisor = 8;
constexpr uint8_t kRttSamples = 8, kCssRounds = 5;
constexpr uint32_t kCssGrowthDivisor = 4;
constexpr uint32_t kBurstMax = 8;  ///< L without pacing, in segments

void begin_round(HyStartState& h, Seq snd_nxt) {
  h.running = true;
  h.window_end = snd_nxt;
  h.last_min_rtt_us = h.current_min_rtt_us;
  h.current_min_rtt_us = 0;
  h.samples = 0;
}

void take_rtt(HyStartState& h, uint32_t rtt_us) {
  if (rtt_us == 0) return;
  if (h.samples < 255) ++h.samples;
  if (h.current_min_rtt_us == 0 || rtt_us < h.current_min_rtt_us) h.current_min_rtt_us = rtt_us;
}

/// RFC 9406 4.2: a rise of the round's smallest RTT starts conservative slow start (CSS), a fall below what it was then
/// ends it. True: CSS has lasted long enough, and slow start is over.
bool judge_round(HyStartState& h, const AckedData& data) {
  const bool enough = h.samples >= kRttSamples && h.current_min_rtt_us != 0;
  if (!h.conservative) {
    if (enough && h.last_min_rtt_us != 0) {
      const uint32_t rise = std::clamp(h.last_min_rtt_us / kMinRttDivisor, kMinRttThreshUs, kMaxRttThreshUs);
      if (h.current_min_rtt_us >= h.last_min_rtt_us + rise) {
        h.conservative = true;
        h.css_rounds = 0;
        h.baseline_rtt_us = h.current_min_rtt_us;
      }
    }
  } else if (enough && h.current_min_rtt_us < h.baseline_rtt_us) {
    h.conservative = false;
  }
  if (seq_lt(data.snd_una, h.window_end)) return false;
  if (h.conservative && ++h.css_rounds >= kCssRounds) return true;
  begin_round(h, data.snd_nxt);
  return false;
}

void first_slow_start(CongestionState& state, const AckedData& data) {
  HyStartState& h = state.hystart;
  if (!h.running) begin_round(h, data.snd_nxt);
  take_rtt(h, data.rtt_us);
  if (data.may_grow) {
    const uint32_t growth = std::min(data.bytes, kBurstMax * data.mss);
    state.cwnd += h.conservative ? growth / kCssGrowthDivisor : growth;
  }
  if (!judge_round(h, data)) return;
  state.ssthresh = state.cwnd;
  state.cubic = {};
}

/// RFC 9438 4.2: K, from where the window is and where it was reduced.
void begin_epoch(CubicState& q, float cwnd, uint32_t now_ms) {
  q.epoch_ms = now_ms == 0 ? 1 : now_ms;
  q.w_est = cwnd;
  q.credit = 0;
  if (q.w_max <= cwnd) {
    q.w_max = cwnd;
    q.k_s = 0;
  } else {
    q.k_s = std::cbrt((q.w_max - cwnd) / kC);
  }
}

float w_cubic(const CubicState& q, float t_s) {
  const float d = t_s - q.k_s;
  return kC * d * d * d + q.w_max;
}

/// RFC 9438 4.3 to 4.5: what one ACK of `segments` adds to the window, in segments.
float growth(CubicState& q, float cwnd, float segments, float t_s, float rtt_s) {
  q.w_est += (q.w_est < q.cwnd_prior ? kAlpha : 1.0f) * segments / cwnd;
  if (w_cubic(q, t_s) < q.w_est) return std::max(q.w_est - cwnd, 0.0f);
  const float target = std::clamp(w_cubic(q, t_s + rtt_s), cwnd, 1.5f * cwnd);
  return (target - cwnd) / cwnd * segments;
}

void start(CongestionState&, uint8_t) {}

uint8_t remember(const CongestionState&) { return 0; }

void acked(CongestionState& state, const AckedData& data) {
  if (state.cwnd < state.ssthresh) {
    if (state.ssthresh == kNoThreshold) return first_slow_start(state, data);
    if (data.may_grow) state.cwnd += std::min(data.bytes, kBurstMax * data.mss);
    return;
  }
  CubicState& q = state.cubic;
  if (!data.may_grow) {
    q.epoch_ms = 0;  // RFC 9438 5.8: time in which the window was not in use does not count
    return;
  }
  const auto mss = static_cast<float>(data.mss);
  const float cwnd = static_cast<float>(state.cwnd) / mss;
  if (q.epoch_ms == 0) begin_epoch(q, cwnd, data.now_ms);
  const float t_s = static_cast<float>(data.now_ms - q.epoch_ms) * 1e-3f;
  q.credit += growth(q, cwnd, static_cast<float>(data.bytes) / mss, t_s, static_cast<float>(data.srtt_us) * 1e-6f) * mss;
  const auto whole = static_cast<uint32_t>(q.credit);
  q.credit -= static_cast<float>(whole);
  state.cwnd += whole;
}

/// RFC 9438 4.6 to 4.8. After a timeout the plateau is where congestion avoidance begins.
void reduce(CongestionState& state, CongestionEvent event, uint32_t mss, uint32_t in_flight) {
  if (state.ssthresh == kNoThreshold) state.cubic = {};
  CubicState& q = state.cubic;
  const float cwnd = static_cast<float>(state.cwnd) / static_cast<float>(mss);
  q.epoch_ms = 0;
  q.cwnd_prior = cwnd;
  if (event == CongestionEvent::timeout) {
    q.w_max = 0;
  } else {
    q.w_max = cwnd < q.w_max ? cwnd * (1 + kBeta) / 2 : cwnd;  // fast convergence
  }
  state.ssthresh = std::max(static_cast<uint32_t>(static_cast<float>(in_flight) * kBeta), 2 * mss);
}

void undone(CongestionState& state) {
  if (state.ssthresh == kNoThreshold) {
    state.hystart = {};
  } else {
    state.cubic.epoch_ms = 0;
  }
}

}  // namespace cubic

const CongestionControl kCubic = {"cubic", cubic::start, cubic::remember, cubic::acked, cubic::reduce, cubic::undone};

}  // namespace qstack
