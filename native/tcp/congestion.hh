// Congestion control: the window, behind one small table of functions so that an algorithm is one file.
//
// In: what was acknowledged, lost or marked. Out: cwnd and ssthresh, in bytes. Loss recovery owns the state: it decides
// when a congestion event has happened, and sets cwnd during an episode (RFC 6937); an algorithm says how low ssthresh
// goes and how cwnd grows. Read first: RFC 5681, RFC 9438, RFC 9406, RFC 8257, RFC 6928.
#pragma once

#include <cstdint>

#include "native/wire/seqnum.hh"

namespace qstack {

/// The values of TcpOption::congestion.
enum class Congestion : uint8_t { cubic = 1, newreno = 2, dctcp = 3 };

/// RFC 5681 3.1: arbitrarily high. While ssthresh has this value no congestion was seen yet.
inline constexpr uint32_t kNoThreshold = 0x7fffffff;
inline constexpr uint8_t kDupThresh = 3;  ///< RFC 5681 3.2, RFC 8985 6.2

struct RenoState {
  uint32_t acked_in_round;  ///< bytes acknowledged since cwnd last grew (congestion avoidance)
};

/// RFC 9438 4.1. Windows are in segments.
struct CubicState {
  float w_max;
  float k_s;
  float w_est;
  float cwnd_prior;
  float credit;       ///< bytes of growth that are no whole byte yet
  uint32_t epoch_ms;  ///< 0: congestion avoidance has not begun
};

/// RFC 9406 4.2; CUBIC's while no congestion was seen yet.
struct HyStartState {
  Seq window_end;
  uint32_t last_min_rtt_us;     ///< 0: none
  uint32_t current_min_rtt_us;  ///< 0: none
  uint32_t baseline_rtt_us;     ///< smallest RTT when CSS began
  uint8_t samples;
  uint8_t css_rounds;
  bool conservative;  ///< in CSS
  bool running;       ///< window_end is set
};

/// RFC 8257 3.3. alpha in 1/2^20.
struct DctcpState {
  RenoState reno;
  uint32_t alpha;
  Seq window_end;
  uint32_t acked;
  uint32_t marked;
  bool running;  ///< window_end is set
};

struct CongestionState {
  uint32_t cwnd;
  uint32_t ssthresh;
  union {
    RenoState reno;
    CubicState cubic;
    HyStartState hystart;
    DctcpState dctcp;
  };
};
static_assert(sizeof(CongestionState) == 32);

/// What one ACK says.
struct AckedData {
  uint32_t mss;
  uint32_t bytes;    ///< newly acknowledged
  uint32_t rtt_us;   ///< 0: no sample
  uint32_t srtt_us;  ///< 0: none yet
  uint32_t now_ms;
  Seq snd_una;
  Seq snd_nxt;
  bool marked;    ///< it carries ECE
  bool may_grow;  ///< no recovery is under way, and the window was in use (RFC 7661 4.1, RFC 9438 5.8)
};

enum class CongestionEvent : uint8_t { loss, mark, timeout };

struct CongestionControl {
  const char* name;
  /// `state` is zero but for cwnd and ssthresh. `remembered`: from an earlier busy time of the connection, else 0.
  void (*start)(CongestionState& state, uint8_t remembered);
  uint8_t (*remember)(const CongestionState& state);
  /// For each ACK of new data.
  void (*acked)(CongestionState& state, const AckedData& data);
  /// Once per congestion event: sets ssthresh. cwnd is then the caller's to set.
  void (*reduce)(CongestionState& state, CongestionEvent event, uint32_t mss, uint32_t in_flight);
  /// The last reduction was for nothing: cwnd and ssthresh are restored already.
  void (*undone)(CongestionState& state);
};

extern const CongestionControl kCubic;
extern const CongestionControl kNewReno;
extern const CongestionControl kDctcp;
const CongestionControl& congestion_control(Congestion which);

/// Growth of NewReno, for all that grow like it: slow start, then one MSS per window (RFC 5681 3.1, RFC 3465).
void grow_like_reno(CongestionState& state, RenoState& reno, const AckedData& data);

/// IW of RFC 6928: min(10 MSS, max(2 MSS, 14600)).
constexpr uint32_t initial_window(uint32_t mss) {
  const uint32_t floor = 2 * mss > 14600 ? 2 * mss : 14600;
  return 10 * mss < floor ? 10 * mss : floor;
}

}  // namespace qstack
