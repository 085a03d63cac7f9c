// Peer: the far end of one connection after the other, which sends what a script says and checks what comes back.
//
// In: operations of a script; frames that the stack sent here. Out: frames near this connection's windows, so that most
// of them are accepted. What it checks of each segment (RFC 9293 3.4, 3.8.6): nothing is acknowledged that was not sent,
// no byte lies beyond the window offered, none is skipped, and one that is sent again is the same byte.
// Invariant: byte n of the sequence space always carries peer_byte(n), whatever segment it travels in; unless it lies.
#pragma once

#include <string>

#include "test/fuzz/frames.hh"
#include "test/fuzz/script.hh"

namespace qstack::fuzz {

/// What a peer sends at sequence number `at`.
inline uint8_t peer_byte(Seq at) { return static_cast<uint8_t>(at ^ (at >> 8) * 31); }
/// What the app sends as byte `at` of a connection.
inline uint8_t app_byte(size_t at) { return static_cast<uint8_t>(at * 7 + (at >> 8) * 13); }

class Peer {
 public:
  Peer(uint32_t address, uint16_t port, uint16_t stack_port)
      : address_(address), port_(port), stack_port_(stack_port), snd_nxt_(address * 2654435761u), snd_max_(snd_nxt_) {}

  uint32_t address() const { return address_; }
  uint16_t port() const { return port_; }
  uint16_t stack_port() const { return stack_port_; }
  /// Sends other bytes for sequence numbers that it has used.
  bool lies = false;
  /// Of the stack: with several, segments leave by level.
  uint32_t levels = 1;
  /// Bytes of the stack in this incarnation, from the first on.
  const std::string& received() const { return received_; }
  void on_sent(const SentSegment& segment);

  Frame syn(Script& script);
  Frame segment(Script& script);

 private:
  std::vector<uint8_t> segment_options(Script& script, uint8_t mode);
  void check_payload(const SentSegment& segment);
  void note_window(Seq ack, uint16_t window);

  uint32_t address_;
  uint16_t port_;
  uint16_t stack_port_;
  Seq snd_nxt_;  ///< next byte of an honest segment
  Seq snd_max_;  ///< end of what was ever sent
  Seq rcv_first_ = 0, rcv_nxt_ = 0;  ///< of the stack's bytes
  Seq edge_ = 0;                     ///< right edge of the widest window offered
  bool heard_ = false;               ///< the stack has sent a SYN
  bool timestamps_ = false;
  uint8_t window_scale_ = 0;
  uint32_t clock_ = 1, echo_ = 0;
  bool fin_seen_ = false;
  std::string received_;
};

inline Frame Peer::syn(Script& script) {
  const uint8_t mode = script.u8();
  const uint8_t jump = script.u8();
  TcpOptions options;
  options.mss = mode & 1 ? script.u16() : 1460;
  options.sack_permitted = mode & 2;
  options.has_timestamps = timestamps_ = mode & 4;
  options.has_window_scale = mode & 8;
  options.window_scale = window_scale_ = options.has_window_scale ? jump & 15 : 0;
  options.ts_value = clock_ += jump;
  uint8_t bytes[40];
  const uint8_t length = write_syn_options(bytes, options);
  const Seq iss = mode & 16 ? snd_nxt_ - jump : snd_max_ + jump;
  const auto flags = static_cast<uint8_t>(kSyn | (mode & 32 ? kAck : 0) | (mode & 64 ? kFin : 0));
  const uint16_t window = mode & 128 ? script.u16() : 0xffff;
  snd_nxt_ = iss + 1;
  if (seq_gt(snd_nxt_ + 1, snd_max_)) snd_max_ = snd_nxt_ + 1;  // the FIN counts as well
  note_window(rcv_nxt_, window);
  return write_segment({address_, port_, stack_port_, iss, rcv_nxt_, flags, window, {bytes, bytes + length}, {}});
}

inline std::vector<uint8_t> Peer::segment_options(Script& script, uint8_t mode) {
  uint8_t bytes[40];
  uint8_t length = 0;
  if (timestamps_) {
    const uint32_t value = mode & 32 ? clock_ - script.u8() : ++clock_;
    length = write_timestamps(bytes, value, echo_);
  }
  if (mode & 16) {
    SackBlock blocks[3];
    const auto count = static_cast<uint8_t>(1 + script.below(3));
    for (uint8_t i = 0; i < count; ++i) {
      blocks[i].first = rcv_first_ + script.u16();
      blocks[i].end = blocks[i].first + script.u16();
    }
    length = static_cast<uint8_t>(length + write_sack(bytes + length, blocks, count));
  }
  return {bytes, bytes + length};
}

/// Mode 0 is an honest data segment; each bit bends one part of it.
inline Frame Peer::segment(Script& script) {
  const uint8_t mode = script.u8();
  const size_t length = std::min<size_t>(script.u8() * (mode & 64 ? 8u : 1u), 1400);
  const Seq seq = snd_nxt_ + (mode & 1 ? script.i16() : 0);
  const Seq ack = rcv_nxt_ + (mode & 2 ? script.i16() : 0);
  const auto flags = static_cast<uint8_t>(mode & 4 ? script.u8() : uint8_t{kAck});
  const uint16_t window = mode & 8 ? script.u16() : 0xffff;
  SegmentParts parts = {address_, port_, stack_port_, seq, ack, flags, window, segment_options(script, mode), {}};
  const Seq first = seq + (flags & kSyn ? 1 : 0);  // a SYN comes before the bytes of its segment
  const uint8_t lie = lies && (mode & 128) ? script.u8() : 0;
  for (size_t i = 0; i < length; ++i) {
    parts.payload.push_back(static_cast<uint8_t>(peer_byte(first + static_cast<Seq>(i)) + lie));
  }
  const Seq end = first + static_cast<Seq>(length) + (flags & kFin ? 1 : 0);
  if (seq_gt(end, snd_max_)) snd_max_ = end;
  if (!(mode & 129)) snd_nxt_ = end;
  if (flags & kAck) note_window(ack, window);
  return write_segment(parts);
}

/// Too wide where the ACK is dropped as one of what was never sent: only the stack knows that for sure.
inline void Peer::note_window(Seq ack, uint16_t window) {
  const Seq edge = ack + (uint32_t{window} << std::min(window_scale_, kWindowScaleMax));
  if (seq_gt(edge, edge_)) edge_ = edge;
}

inline void Peer::on_sent(const SentSegment& segment) {
  const TcpSegment& s = segment.header;
  if (s.flags & kRst) return;
  if (s.options.has_timestamps) echo_ = s.options.ts_value;
  if (s.flags & kAck) require(seq_le(s.ack, snd_max_), "what we acknowledge was sent");
  if (s.flags & kSyn) {
    heard_ = true;
    fin_seen_ = false;
    rcv_first_ = rcv_nxt_ = s.seq + 1;
    edge_ = rcv_first_ + 0xffff;  // the window of the SYN, or of a SYN-ACK that the script will send
    received_.clear();
    return;
  }
  check_payload(segment);
}

inline void Peer::check_payload(const SentSegment& segment) {
  const TcpSegment& s = segment.header;
  const auto* const bytes = reinterpret_cast<const char*>(segment.payload.data());
  const size_t length = segment.payload.size();
  if (length == 0 && !(s.flags & kFin)) return;
  require(heard_, "data follows a handshake");
  const size_t at = s.seq - rcv_first_;
  const size_t known = std::min(length, received_.size() - std::min(at, received_.size()));
  if (at > received_.size() && levels > 1) return;  // left before lower ones of its connection; it comes again
  require(at <= received_.size(), "no byte is skipped");
  require(received_.compare(at, known, bytes, known) == 0, "a byte that is sent again is the same byte");
  received_.append(bytes + known, length - known);
  require(!fin_seen_ || known == length, "no new byte follows a FIN");
  require(length <= 1 || seq_le(s.seq + static_cast<Seq>(length), edge_), "no byte lies beyond the window");
  if (s.flags & kFin) {
    require(at + length == received_.size(), "a FIN follows the last byte");
    fin_seen_ = true;
  }
  const Seq end = s.seq + static_cast<Seq>(length) + (s.flags & kFin ? 1 : 0);
  if (seq_gt(end, rcv_nxt_)) rcv_nxt_ = end;
}

}  // namespace qstack::fuzz
