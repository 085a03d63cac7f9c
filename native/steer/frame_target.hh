// frame_target: which of several stacks a received frame is for.
//
// In: a frame's bytes, any bytes; a tag of 802.1Q is passed over. Out: a flow's hash, or what has no flow. Nothing is judged:
// a frame that is wrong is for the first stack, which counts it.
//   TCP                            its flow
//   ICMP error about TCP           the flow that it quotes
//   ARP reply, gratuitous ARP      every stack: any may have asked
//   NDP advertisement, DAD probe   every stack
//   ARP request, other NDP, echo   the first stack: one answer is enough
//   fragment, anything else        the first stack
#pragma once

#include <cstdint>

#include "native/steer/flow_hash.hh"

namespace qstack {

enum class FrameReader : uint8_t { flow, first, all };

struct FrameTarget {
  FrameReader reader = FrameReader::first;
  uint32_t hash = 0;  ///< of a flow, in the direction in which frames of the peer come
};

FrameTarget frame_target(const uint8_t* frame, uint16_t length, const FlowHash& hash);

}  // namespace qstack
