// Messages: bytes in order, cut into what the app takes, each judged at its first byte (framings: config.hh).
//
// In: segments that are next in order, or were. Out: App::message, with a reference of the packet that the bytes lie in.
// A message that spans segments is put together in a packet of its own, `Busy::frame`; while there is none, rcv_nxt is
// where a message begins. Invariant: what the app refuses is not taken, nor acknowledged: it comes again, and no FIN gets
// ahead of it. early.cc hands over what lies behind.
#include <algorithm>
#include <cstring>

#include "native/tcp/engine.hh"

namespace qstack {
namespace {

/// In Packet::tx_flags of a frame: all that rules look at has come, and `level` is what they say.
constexpr uint8_t kJudged = 0x40;

/// `reach` bytes from the beginning of the payload on are what the frame was judged by: nothing was cut off.
bool judged_in_frame(const Packet& packet, uint32_t size, uint32_t reach) {
  const uint32_t header = (packet.data[packet.l4 + 12] >> 4) * 4u;
  return packet.payload == packet.l4 + header && (size >= reach || packet.payload + size == packet.length);
}

}  // namespace

/// Length of the message whose first `there` bytes are at `at`; 0: too few to know, negative: there is no such message.
int32_t TcpEngine::message_size(const Profile& profile, const uint8_t* at, uint32_t there) {
  if (profile.framing == Framing::fixed) return profile.fixed_length;
  const LengthPrefix& prefix = profile.prefix;
  return there < prefix.header() ? 0 : prefix.length(at + prefix.offset);
}

/// Level of a message that has come as a whole. `packet` holds its first byte, or the last one that rules look at.
uint8_t TcpEngine::level_of(const Packet& packet, const uint8_t* at, uint32_t size) const {
  if (rules_ == nullptr) return packet.level;
  if (at == packet.data + packet.payload && judged_in_frame(packet, size, rules_->reach())) return packet.level;
  return rules_->classify_message({at, size}, packet);
}

/// Hands the payload over. Returns the bytes taken. With all of them, or where that was the end of the connection, the
/// packet is no longer ours.
uint32_t TcpEngine::deliver(Tcb& c, Packet* packet) {
  packet->tcp_stamp = to_stamp(now_);
  const Profile& profile = profile_of(c);
  if (profile.framing == Framing::stream) return deliver_stream(c, packet);
  const bool plain = c.busy == kNoIndex || (busy_.at(c.busy).frame == nullptr && busy_.at(c.busy).early == kNoIndex);
  if (plain && is_one_message(profile, *packet)) {
    const uint16_t length = packet->payload_length;
    return offer(c, packet, packet->payload, length) ? length : 0;
  }
  return deliver_messages(c, packet);
}

uint32_t TcpEngine::deliver_stream(Tcb& c, Packet* packet) {
  const uint16_t length = packet->payload_length;
  Busy* const b = need_busy(c);
  if (b == nullptr) return 0;
  b->unread += length;
  packet->tx_flags |= kRxUnread;
  // Event rings of two levels would swap the bytes of a stream, so all of them keep the level of the first.
  if (c.stream_level == 0) c.stream_level = static_cast<uint8_t>(packet->level + 1);
  if (offer(c, packet, packet->payload, length, static_cast<uint8_t>(c.stream_level - 1))) return length;
  b->unread -= length;
  return 0;
}

bool TcpEngine::is_one_message(const Profile& profile, const Packet& packet) {
  if (profile.framing == Framing::segment) return true;
  return message_size(profile, packet.data + packet.payload, packet.payload_length) == packet.payload_length;
}

bool TcpEngine::offer(Tcb& c, Packet* packet, uint16_t offset, uint16_t length) {
  return offer(c, packet, offset, length, level_of(*packet, packet->data + offset, length));
}

bool TcpEngine::offer(Tcb& c, Packet* packet, uint16_t offset, uint16_t length, uint8_t level) {
  const Message message = {handle_of(c), remote_of(c.key), packet, offset, length, profile_of(c).listener, level};
  const Stamp polled = packet->rx_stamp;
  if (!app_.message(message)) return false;
  count(Counter::messages_in);
  ++counters_.messages_by_level[level];
  counters_.sojourn.record(Stage::tcp, level, polled, to_stamp(now_));
  return true;
}

/// Several messages, parts of them, or bytes that the app has already: each whole message is one reference.
uint32_t TcpEngine::deliver_messages(Tcb& c, Packet* packet) {
  const uint16_t length = packet->payload_length;
  uint32_t taken = 0;
  while (taken < length) {
    const uint32_t step = deliver_next(c, packet, taken);
    if (c.state == TcpState::closed) break;
    if (step == 0) return taken;
    taken += step;
  }
  rx_.release(packet);
  return taken;
}

/// Goes on at byte `at` of the payload. 0: the app, or our memory, has no room.
uint32_t TcpEngine::deliver_next(Tcb& c, Packet* packet, uint32_t at) {
  uint32_t left = packet->payload_length - at;
  Busy* const b = busy_of(c);
  if (b != nullptr && b->frame != nullptr) return add_to_frame(c, *b, packet, at);
  if (b != nullptr && b->early != kNoIndex) {
    const Seq here = packet->sequence + at;
    const uint32_t known = early_at(*b, here);
    if (known != 0) return std::min(known, left);
    if (profile_of(c).framing == Framing::segment) left = std::min(left, next_early(*b, here) - here);
  }
  const auto offset = static_cast<uint16_t>(packet->payload + at);
  const int32_t size = profile_of(c).framing == Framing::segment
                           ? static_cast<int32_t>(left)
                           : message_size(profile_of(c), packet->data + offset, left);
  if (size < 0 || (b != nullptr && reaches_early(*b, packet->sequence + at, static_cast<uint32_t>(size)))) {
    return refuse_message(c);
  }
  if (size == 0 || static_cast<uint32_t>(size) > left) return begin_frame(c, packet, at);
  rx_.hold(packet);
  if (offer(c, packet, offset, static_cast<uint16_t>(size))) return static_cast<uint32_t>(size);
  rx_.release(packet);
  return 0;
}

/// The peer does not speak as the listener does, or says another thing than before: nothing behind this can be read.
uint32_t TcpEngine::refuse_message(Tcb& c) {
  count(Counter::messages_malformed);
  reset_connection(c, CloseReason::bad_message);
  return 0;
}

uint32_t TcpEngine::begin_frame(Tcb& c, const Packet* packet, uint32_t at) {
  Busy* const b = need_busy(c);
  if (b == nullptr) return 0;
  b->frame = allocate_frame(*packet, packet->sequence + at);
  return b->frame == nullptr ? 0 : add_to_frame(c, *b, packet, at);
}

/// For a message that begins at `sequence` in `packet`; its payload_length is how much of it has come.
Packet* TcpEngine::allocate_frame(const Packet& packet, Seq sequence) {
  Packet* const frame = rx_.allocate();
  if (frame == nullptr) {
    count(Counter::drop_no_packet);
    return nullptr;
  }
  frame->data = PacketRegion::payload_start(frame);
  frame->payload = frame->payload_length = 0;
  frame->rx_stamp = packet.rx_stamp;
  frame->arrival = packet.arrival;
  frame->sequence = sequence;
  frame->level = packet.level;
  frame->tx_flags = 0;
  return frame;
}

/// Adds to the message that is being put together, and hands it over when it is whole. Returns the bytes taken.
uint32_t TcpEngine::add_to_frame(Tcb& c, Busy& b, const Packet* packet, uint32_t at) {
  Packet& frame = *b.frame;
  const Profile& profile = profile_of(c);
  const uint16_t before = frame.payload_length;
  int32_t size = message_size(profile, frame.data, before);
  if (size == 0) {  // its length is not known yet
    if (reaches_early(b, frame.sequence, profile.prefix.header())) return refuse_message(c);
    at += fill_frame(frame, *packet, at, profile.prefix.header());
    size = message_size(profile, frame.data, frame.payload_length);
    if (size < 0 || reaches_early(b, frame.sequence, static_cast<uint32_t>(size))) return refuse_message(c);
  }
  if (size != 0) fill_frame(frame, *packet, at, static_cast<uint32_t>(size));
  judge_frame(frame, *packet, static_cast<uint32_t>(size));
  const uint32_t taken = frame.payload_length - before;
  if (frame.payload_length != size || offer_frame(c, b)) return taken;
  frame.payload_length = before;
  return 0;
}

/// Up to `most` bytes of the message. Returns how many came from `packet`, from byte `at` of its payload on.
uint32_t TcpEngine::fill_frame(Packet& frame, const Packet& packet, uint32_t at, uint32_t most) {
  const uint32_t copied = std::min<uint32_t>(packet.payload_length - at, most - frame.payload_length);
  std::memcpy(frame.data + frame.payload_length, packet.data + packet.payload + at, copied);
  frame.payload_length = static_cast<uint16_t>(frame.payload_length + copied);
  return copied;
}

/// Once, as soon as it can be: where the last byte that rules look at came in `packet`.
void TcpEngine::judge_frame(Packet& frame, const Packet& packet, uint32_t size) const {
  if (rules_ == nullptr || (frame.tx_flags & kJudged)) return;
  if (frame.payload_length < rules_->reach() && frame.payload_length != size) return;
  frame.level = rules_->classify_message({frame.data, frame.payload_length}, packet);
  frame.tx_flags |= kJudged;
}

bool TcpEngine::offer_frame(Tcb& c, Busy& b) {
  Packet* const whole = b.frame;
  whole->tcp_stamp = to_stamp(now_);
  b.frame = nullptr;
  if (offer(c, whole, 0, whole->payload_length, whole->level)) return true;
  b.frame = whole;
  return false;
}

}  // namespace qstack
