// The algorithms behind native/tcp/congestion.hh, each against the formulas of its RFC, without a stack.
#include <doctest/doctest.h>

#include <cmath>
#include <string_view>

#include "native/tcp/congestion.hh"

using namespace qstack;

namespace {

constexpr uint32_t kMss = 1'000;

CongestionState started(const CongestionControl& control, uint32_t cwnd, uint32_t ssthresh, uint8_t remembered = 0) {
  CongestionState state{};
  state.cwnd = cwnd;
  state.ssthresh = ssthresh;
  control.start(state, remembered);
  return state;
}

/// A sender that is never short of data, on a path of constant RTT: one ACK per segment.
struct Flow {
  const CongestionControl& control;
  CongestionState state;
  uint32_t now_ms = 1'000;
  Seq una = 0;

  void round(uint32_t rtt_ms, double marked_share = 0, uint32_t rtt_us = 0) {
    const uint32_t segments = state.cwnd / kMss;
    const auto marked = static_cast<uint32_t>(std::lround(segments * marked_share));
    const Seq nxt = una + segments * kMss;
    for (uint32_t i = 0; i < segments; ++i) {
      una += kMss;
      const bool mark = i < marked;
      control.acked(state, {kMss, kMss, rtt_us == 0 ? rtt_ms * 1'000 : rtt_us, rtt_ms * 1'000, now_ms, una,
                            nxt + (i + 1) * kMss, mark, !mark});
    }
    now_ms += rtt_ms;
  }
};

double segments(const Flow& flow) { return static_cast<double>(flow.state.cwnd) / kMss; }

}  // namespace

TEST_CASE("RFC 6928: the initial window is ten segments, or 14,600 bytes, or two") {
  CHECK(initial_window(1'448) == 14'480);
  CHECK(initial_window(1'460) == 14'600);
  CHECK(initial_window(2'000) == 14'600);
  CHECK(initial_window(8'948) == 17'896);
}

TEST_CASE("RFC 5681 3.1: NewReno doubles in slow start, then grows by a segment per window, and halves") {
  Flow flow{kNewReno, started(kNewReno, 10 * kMss, 40 * kMss)};
  flow.round(100);
  CHECK(segments(flow) == 20);
  flow.round(100);
  CHECK(segments(flow) == 40);
  for (int i = 0; i < 10; ++i) flow.round(100);
  CHECK(segments(flow) == doctest::Approx(50).epsilon(0.03));
  kNewReno.reduce(flow.state, CongestionEvent::loss, kMss, 48 * kMss);
  CHECK(flow.state.ssthresh == 24 * kMss);
  kNewReno.reduce(flow.state, CongestionEvent::timeout, kMss, 3 * kMss);
  CHECK(flow.state.ssthresh == 2 * kMss);
}

TEST_CASE("RFC 7661 4.1: no algorithm grows a window that is not in use") {
  for (const CongestionControl* control : {&kCubic, &kNewReno, &kDctcp}) {
    for (const uint32_t ssthresh : {kNoThreshold, 5 * kMss}) {
      CongestionState state = started(*control, 10 * kMss, ssthresh);
      for (uint32_t i = 0; i < 100; ++i) {
        control->acked(state, {kMss, kMss, 100'000, 100'000, 1'000 + i, i * kMss, (i + 1) * kMss, false, false});
      }
      CAPTURE(std::string_view(control->name));
      CHECK(state.cwnd == 10 * kMss);
    }
  }
}

TEST_CASE("RFC 9438 4.2: after a loss at W_max CUBIC follows C (t - K)^3 + W_max, flat at K, and beyond it") {
  constexpr double kC = 0.4, kBeta = 0.7, kWmax = 1'000;
  const uint32_t rtt_ms = 100;
  Flow flow{kCubic, started(kCubic, 1'000 * kMss, 500 * kMss)};
  kCubic.reduce(flow.state, CongestionEvent::loss, kMss, 1'000 * kMss);
  flow.state.cwnd = flow.state.ssthresh;
  REQUIRE(segments(flow) == 700);
  const double k = std::cbrt(kWmax * (1 - kBeta) / kC);
  for (double t = 0; t < 2 * k; t += rtt_ms * 1e-3) {
    const double expected = kC * std::pow(t - k, 3) + kWmax;
    CAPTURE(t);
    CHECK(segments(flow) == doctest::Approx(expected).epsilon(0.02));
    flow.round(rtt_ms);
  }
}

TEST_CASE("RFC 9438 4.3: where the RTT is short CUBIC grows as NewReno would with its smaller decrease") {
  const uint32_t rtt_ms = 5;
  Flow flow{kCubic, started(kCubic, 20 * kMss, 10 * kMss)};
  kCubic.reduce(flow.state, CongestionEvent::loss, kMss, 20 * kMss);
  flow.state.cwnd = flow.state.ssthresh;
  const double alpha = 3 * (1 - 0.7) / (1 + 0.7);
  for (int rounds = 1; rounds <= 10; ++rounds) {
    flow.round(rtt_ms);
    // W_est gains alpha per window of acknowledged segments, until it is where the loss was.
    CHECK(segments(flow) == doctest::Approx(14 + alpha * rounds).epsilon(0.02));
  }
}

TEST_CASE("RFC 9438 4.7: fast convergence gives way when the window shrinks from loss to loss") {
  CongestionState state = started(kCubic, 100 * kMss, 50 * kMss);
  kCubic.reduce(state, CongestionEvent::loss, kMss, 100 * kMss);
  CHECK(state.cubic.w_max == doctest::Approx(100));
  CHECK(state.ssthresh == 70 * kMss);
  state.cwnd = 80 * kMss;
  kCubic.reduce(state, CongestionEvent::mark, kMss, 80 * kMss);
  CHECK(state.cubic.w_max == doctest::Approx(80 * 1.7 / 2));
  CHECK(state.ssthresh == 56 * kMss);
}

TEST_CASE("RFC 9438 4.8: after a timeout the plateau is where congestion avoidance begins") {
  Flow flow{kCubic, started(kCubic, 100 * kMss, 50 * kMss)};
  kCubic.reduce(flow.state, CongestionEvent::timeout, kMss, 100 * kMss);
  CHECK(flow.state.ssthresh == 70 * kMss);
  flow.state.cwnd = flow.state.ssthresh;
  flow.round(200);
  CHECK(flow.state.cubic.k_s == 0);
  CHECK(flow.state.cubic.w_max == doctest::Approx(70));
}

TEST_CASE("RFC 9438 5.8: time in which the window was not in use does not make it jump") {
  Flow flow{kCubic, started(kCubic, 100 * kMss, 50 * kMss)};
  kCubic.reduce(flow.state, CongestionEvent::loss, kMss, 100 * kMss);
  flow.state.cwnd = flow.state.ssthresh;
  flow.round(50);
  const uint32_t before = flow.state.cwnd;
  kCubic.acked(flow.state, {kMss, kMss, 0, 50'000, flow.now_ms, flow.una, flow.una + kMss, false, false});
  flow.now_ms += 60'000;
  flow.round(50);
  CHECK(flow.state.cwnd < before + 3 * kMss);
}

TEST_CASE("RFC 9406: a rising RTT ends the first slow start before there is loss; a steady one does not") {
  Flow steady{kCubic, started(kCubic, 10 * kMss, kNoThreshold)};
  for (int i = 0; i < 8; ++i) steady.round(40);
  CHECK(steady.state.ssthresh == kNoThreshold);
  CHECK(segments(steady) == 10 << 8);

  Flow rising{kCubic, started(kCubic, 10 * kMss, kNoThreshold)};
  for (int i = 0; i < 4; ++i) rising.round(40);
  const double before = segments(rising);
  // 45 ms is 1/8 more than 40 ms: CSS grows at a quarter of the speed, and after five rounds it is over.
  int rounds = 0;
  while (rising.state.ssthresh == kNoThreshold && rounds < 20) {
    rising.round(46);
    ++rounds;
  }
  CHECK(rounds >= 5);
  CHECK(rounds <= 7);
  CHECK(rising.state.ssthresh <= rising.state.cwnd);
  CHECK(segments(rising) < before * 8);
}

TEST_CASE("RFC 9406 4.2: when the RTT falls back slow start goes on as before") {
  Flow flow{kCubic, started(kCubic, 10 * kMss, kNoThreshold)};
  for (int i = 0; i < 3; ++i) flow.round(40);
  flow.round(46);
  flow.round(46);
  for (int i = 0; i < 3; ++i) flow.round(40);
  CHECK(flow.state.ssthresh == kNoThreshold);
  const double before = segments(flow);
  flow.round(40);
  CHECK(segments(flow) == doctest::Approx(2 * before).epsilon(0.01));
}

TEST_CASE("RFC 8257 3.3: DCTCP's alpha follows the share of marked bytes, computed by hand") {
  struct Step {
    double share, alpha;
  };
  // alpha = 15/16 alpha + 1/16 M, from 1 on; each of our rounds ends one window.
  const Step steps[] = {{0, 0.9375}, {0, 0.87890625}, {0.5, 0.855224609375}, {1, 0.86427307}, {0.25, 0.82588100}};
  Flow flow{kDctcp, started(kDctcp, 16 * kMss, 8 * kMss)};
  // The first window closes with the first ACK of the first round.
  const auto alpha = [&] { return flow.state.dctcp.alpha / double{1u << 20}; };
  flow.state.dctcp.running = true;
  for (const Step& step : steps) {
    flow.state.cwnd = 16 * kMss;
    flow.state.dctcp.window_end = flow.una + 16 * kMss;
    flow.round(1, step.share);
    CAPTURE(step.share);
    CHECK(alpha() == doctest::Approx(step.alpha).epsilon(1e-4));
  }
}

TEST_CASE("RFC 8257 3.3: the window shrinks by alpha / 2 for marks, by half for loss") {
  CongestionState state = started(kDctcp, 100 * kMss, 50 * kMss);
  state.dctcp.alpha = (1u << 20) / 4;
  kDctcp.reduce(state, CongestionEvent::mark, kMss, 100 * kMss);
  CHECK(state.ssthresh == doctest::Approx(87'500).epsilon(1e-4));
  kDctcp.reduce(state, CongestionEvent::loss, kMss, 100 * kMss);
  CHECK(state.ssthresh == 50 * kMss);
}

TEST_CASE("DCTCP's alpha is 1 at first, and is remembered over idle times to 1/255") {
  CongestionState state = started(kDctcp, 10 * kMss, kNoThreshold);
  CHECK(state.dctcp.alpha == 1u << 20);
  CHECK(kDctcp.remember(state) == 0);
  for (const double alpha : {0.0, 0.1, 0.5, 0.9}) {
    state.dctcp.alpha = static_cast<uint32_t>(alpha * (1u << 20));
    const CongestionState later = started(kDctcp, 10 * kMss, kNoThreshold, kDctcp.remember(state));
    CHECK(later.dctcp.alpha / double{1u << 20} == doctest::Approx(alpha).epsilon(0.005));
  }
}
