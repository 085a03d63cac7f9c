// The fuzz targets: each takes any bytes, returns, and ends the process only where a promise of the code is broken.
//
// tools/fuzz runs each under libFuzzer (entry.cc); test/fuzz/corpus_test.cc replays the committed inputs.
#pragma once

#include <cstdint>
#include <span>

namespace qstack::fuzz {

/// Peers of one stack write segments near their connections' windows; the app sends, refuses and closes.
void packet(std::span<const uint8_t> input);
/// A rule table and a frame: loaded or refused, and judged as a slow reader of the same bytes judges it.
void rules(std::span<const uint8_t> input);
/// An app thread that writes any record, and any index of a ring.
void rings(std::span<const uint8_t> input);
/// C programs on two stacks that call anything, and a wire that loses, doubles and damages.
void capi(std::span<const uint8_t> input);
/// Replies of a Redis server, cut anywhere: the same as in one piece.
void redis(std::span<const uint8_t> input);

}  // namespace qstack::fuzz
