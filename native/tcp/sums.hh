// Sums: what one connection has carried, as TCP_INFO of Linux and RFC 4898 count it; kept where TcpOption::sums asks for it.
#pragma once

#include <cstdint>

namespace qstack {

struct Sums {
  uint64_t bytes_sent;      ///< payload, repetitions included
  uint64_t bytes_retrans;
  uint64_t bytes_acked;     ///< payload that snd_una has passed
  uint64_t bytes_received;  ///< payload that rcv_nxt has passed
  uint32_t segs_out;
  uint32_t segs_in;
  uint32_t data_segs_out;
  uint32_t data_segs_in;
  uint32_t retransmits;     ///< segments
  uint32_t delivered;       ///< segments acknowledged or sacked for the first time
  uint32_t delivered_ce;    ///< of these: by an ACK with ECE
  uint32_t dsack_dups;      ///< D-SACKs
  uint32_t reord_seen;      ///< segments that were delivered after later ones
  uint32_t rcv_ooopack;     ///< segments that came before what precedes them
  uint32_t data_sent_ms;    ///< clock of the last segment with payload
  uint32_t data_received_ms;
  uint32_t ack_received_ms;
};
static_assert(sizeof(Sums) == 88);

}  // namespace qstack
