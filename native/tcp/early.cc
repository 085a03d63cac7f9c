// Early delivery: a message of a higher level does not wait for bytes of its connection that come before it.
//
//   rcv_nxt                                                    Two reasons to wait, two promises:
//      │ low, refused │ HIGH │ low │ low │ HIGH │ …            unread: the app has no room for what is next. What overtakes
//      │      hole    │ HIGH │ low │ HIGH │ …                          is of a higher level than all that it passes.
//                       ▲▲▲▲         ▲▲▲▲                      hole:   what was lost may be of any level, so messages of one
//                       EarlyRanges: never handed over again           level may swap. Only with `unordered`.
//
// In: packets kept out of order, ranges. Out: App::message. Invariant: a range is never part of a later delivery, whatever
// the peer sends again or how it cuts it; rcv_nxt and the window do not move before their bytes are in order, SACK reports
// ranges like what is kept (RFC 2018 8: never reneged on). With all ranges in use messages come in order.
#include <algorithm>
#include <cstring>

#include "native/tcp/engine.hh"

namespace qstack {
namespace {

/// Messages that one arrival has looked at, at most.
constexpr uint32_t kLooksMax = 64;

}  // namespace

/// Goes through kept packets, from lower to higher sequence numbers.
class TcpEngine::KeptBytes {
 public:
  explicit KeptBytes(Packet* first) : at_(first) {}

  /// The packet with the byte at `seq`, which is not below that of the call before; null: it has not come.
  Packet* holding(Seq seq) {
    while (at_ != nullptr && seq_le(text_end(*at_), seq)) at_ = at_->next;
    return at_ != nullptr && seq_le(at_->sequence, seq) ? at_ : nullptr;
  }
  /// All of [first, first + size) is there; `first` is in the packet that holding() has returned.
  bool whole(Seq first, uint32_t size) const {
    Seq end = text_end(*at_);
    for (const Packet* p = at_->next; seq_lt(end, first + size); p = p->next) {
      if (p == nullptr || p->sequence != end) return false;
      end = text_end(*p);
    }
    return true;
  }
  /// As much of [first, first + size) as is there without a gap; returns how much that is.
  uint32_t copy(Seq first, uint32_t size, uint8_t* out) const {
    uint32_t copied = 0;
    for (const Packet* p = at_; p != nullptr && copied < size && seq_le(p->sequence, first + copied); p = p->next) {
      const uint32_t skipped = first + copied - p->sequence;
      if (skipped >= p->payload_length) continue;
      const uint32_t part = std::min<uint32_t>(p->payload_length - skipped, size - copied);
      std::memcpy(out + copied, p->data + p->payload + skipped, part);
      copied += part;
    }
    return copied;
  }

 private:
  Packet* at_;
};

/// Bytes from `seq` on that the app has already.
uint32_t TcpEngine::early_at(const Busy& b, Seq seq) const {
  if (b.early == kNoIndex) return 0;
  const EarlyRanges& early = early_.at(b.early);
  for (uint32_t i = 0; i < early.count; ++i) {
    const SackBlock& range = early.ranges[i];
    if (seq_le(range.first, seq) && seq_lt(seq, range.end)) return range.end - seq;
  }
  return 0;
}

/// Where the next range behind `seq` begins; half of all sequence numbers away, if there is none.
Seq TcpEngine::next_early(const Busy& b, Seq seq) const {
  if (b.early == kNoIndex) return seq + 0x7fffffff;
  const EarlyRanges& early = early_.at(b.early);
  for (uint32_t i = 0; i < early.count; ++i) {
    if (seq_gt(early.ranges[i].first, seq)) return early.ranges[i].first;
  }
  return seq + 0x7fffffff;
}

/// A message of this size would take in what was handed over: what is sent again may have other bytes, and so another
/// length. Nothing is handed over twice.
bool TcpEngine::reaches_early(const Busy& b, Seq first, uint32_t size) const {
  return seq_lt(next_early(b, first), first + size);
}

/// A range that is next in order is passed. True: rcv_nxt has moved.
bool TcpEngine::pass_early(Tcb& c, Busy& b) {
  if (b.early == kNoIndex) return false;
  EarlyRanges& early = early_.at(b.early);
  Seq next = c.rcv_nxt;
  uint32_t passed = 0;
  while (passed < early.count && seq_le(early.ranges[passed].first, next)) {
    next = seq_max(next, early.ranges[passed++].end);
  }
  std::copy(early.ranges + passed, early.ranges + early.count, early.ranges);
  early.count -= passed;
  if (early.count == 0) {
    early_.release(b.early);
    b.early = kNoIndex;
  }
  if (next == c.rcv_nxt) return false;
  advance(c, next - c.rcv_nxt);
  return true;
}

/// What the app has already is cut off at both ends. False: that was all, and the packet is dropped.
bool TcpEngine::trim_to_early(Busy& b, Packet* packet) {
  if (b.early == kNoIndex) return true;
  const uint32_t known = early_at(b, packet->sequence);
  if (known >= packet->payload_length) {
    drop(packet, Counter::duplicates_in);
    return false;
  }
  packet->sequence += known;
  packet->payload = static_cast<uint16_t>(packet->payload + known);
  packet->payload_length = static_cast<uint16_t>(packet->payload_length - known);
  const EarlyRanges& early = early_.at(b.early);
  for (uint32_t i = 0; i < early.count; ++i) {
    const SackBlock& range = early.ranges[i];
    const bool covers_end = seq_lt(packet->sequence, range.first) && seq_lt(range.first, text_end(*packet)) &&
                            seq_le(text_end(*packet), range.end);
    if (covers_end) packet->payload_length = static_cast<uint16_t>(range.first - packet->sequence);
  }
  return true;
}

/// Room for one more range, which may continue another. Takes the record, where there is none yet.
bool TcpEngine::has_early_room(Busy& b, Seq first, Seq end) {
  if (b.early == kNoIndex) {
    b.early = early_.allocate();
    if (b.early != kNoIndex) early_.at(b.early).count = 0;
  }
  if (b.early == kNoIndex) return false;
  const EarlyRanges& early = early_.at(b.early);
  const auto touches = [&](const SackBlock& range) { return range.end == first || range.first == end; };
  return early.count < EarlyRanges::kMax || std::any_of(early.ranges, early.ranges + early.count, touches);
}

void TcpEngine::note_early(Busy& b, Seq first, Seq end) {
  EarlyRanges& early = early_.at(b.early);
  uint32_t place = 0;
  while (place < early.count && seq_lt(early.ranges[place].end, first)) ++place;
  if (place < early.count && early.ranges[place].end == first) {
    early.ranges[place].end = end;
    if (place + 1 == early.count || early.ranges[place + 1].first != end) return;
    early.ranges[place].end = early.ranges[place + 1].end;
    std::copy(early.ranges + place + 2, early.ranges + early.count, early.ranges + place + 1);
    --early.count;
  } else if (place < early.count && early.ranges[place].first == end) {
    early.ranges[place].first = first;
  } else {
    std::copy_backward(early.ranges + place, early.ranges + early.count, early.ranges + early.count + 1);
    early.ranges[place] = {first, end};
    ++early.count;
  }
}

/// A record without a range is none: its connection would never be idle.
void TcpEngine::settle_early(Busy& b) {
  if (b.early == kNoIndex) return;
  if (early_.at(b.early).count == 0) {
    early_.release(b.early);
    b.early = kNoIndex;
    return;
  }
  for (Packet** place = &b.out_of_order; *place != nullptr;) {  // nothing is left in them
    Packet* const packet = *place;
    if (early_at(b, packet->sequence) < packet->payload_length) {
      place = &packet->next;
      continue;
    }
    *place = packet->next;
    packet->next = nullptr;
    --b.out_of_order_count;
    rx_.release(packet);
  }
}

/// `fresh` has come out of order and is kept.
void TcpEngine::overtake(Tcb& c, Busy& b, const Packet& fresh) {
  const Profile& profile = profile_of(c);
  if (config_.levels == 1 || profile.framing == Framing::stream) return;
  const Packet* packet = b.out_of_order;
  uint32_t range = 0;
  const SackBlock run = next_block(b, packet, range);
  if (seq_le(run.first, c.rcv_nxt) && seq_le(text_end(fresh), run.end)) return overtake_unread(c, b);
  if (!profile.unordered) return;
  const std::optional<Seq> boundary = next_message(c, b, fresh);
  if (boundary) look_at_kept(c, b, *boundary, fresh.sequence, text_end(fresh), false);
}

/// The app has no room for what is next in order: what is of a higher level, behind it and before a hole, need not wait.
void TcpEngine::overtake_unread(Tcb& c, Busy& b) {
  const Profile& profile = profile_of(c);
  if (config_.levels == 1 || profile.framing == Framing::stream || b.out_of_order == nullptr) return;
  Seq at = c.rcv_nxt;
  if (b.frame != nullptr) {
    const int32_t size = message_size(profile, b.frame->data, b.frame->payload_length);
    if (size <= 0) return;
    at += static_cast<uint32_t>(size) - b.frame->payload_length;
  }
  const Packet* packet = b.out_of_order;
  uint32_t range = 0;
  look_at_kept(c, b, at, at, next_block(b, packet, range).end, true);
}

/// Where a message begins from which those in `fresh` can be found; nothing: that is not known.
std::optional<Seq> TcpEngine::next_message(const Tcb& c, const Busy& b, const Packet& fresh) const {
  const Profile& profile = profile_of(c);
  if (profile.framing == Framing::segment) return fresh.sequence;
  Seq at = c.rcv_nxt;
  if (b.frame != nullptr) {
    const int32_t size = message_size(profile, b.frame->data, b.frame->payload_length);
    if (size <= 0) return std::nullopt;
    at += static_cast<uint32_t>(size) - b.frame->payload_length;
  }
  if (profile.framing == Framing::fixed && seq_lt(at, fresh.sequence)) {
    at += (fresh.sequence - at) / profile.fixed_length * profile.fixed_length;
  }
  return at;
}

/// Length of the message that begins at `at` in `holder`; 0: it is not known, or no message has it.
uint32_t TcpEngine::kept_size(const Tcb& c, const Busy& b, const KeptBytes& kept, const Packet& holder, Seq at) const {
  const Profile& profile = profile_of(c);
  if (profile.framing == Framing::segment) {
    const Seq next = next_early(b, at), end = text_end(holder);
    return (seq_lt(next, end) ? next : end) - at;
  }
  if (profile.framing == Framing::fixed) return profile.fixed_length;
  const LengthPrefix& prefix = profile.prefix;
  uint8_t header[UINT8_MAX + sizeof(uint32_t)];
  if (kept.copy(at, prefix.header(), header) < prefix.header()) return 0;
  return static_cast<uint32_t>(std::max(prefix.length(header + prefix.offset), 0));
}

/// Offers whole messages from `at` on that have a byte in [first, end). `known`: there is no hole before them, so those
/// that are passed are known, and keep their order within a level.
void TcpEngine::look_at_kept(Tcb& c, Busy& b, Seq at, Seq first, Seq end, bool known) {
  KeptBytes kept(b.out_of_order);
  auto below = static_cast<uint8_t>(config_.levels - 1);  // who may overtake
  if (known && b.frame != nullptr) below = std::min(below, b.frame->level);
  for (uint32_t looks = 0; looks < kLooksMax && below != 0 && seq_lt(at, end); ++looks) {
    const uint32_t handed_over = early_at(b, at);
    if (handed_over != 0) {
      at += handed_over;
      continue;
    }
    const Packet* const holder = kept.holding(at);
    const bool fixed = profile_of(c).framing == Framing::fixed;
    if (holder == nullptr && !(fixed && !known)) break;
    const uint32_t size = holder == nullptr ? profile_of(c).fixed_length : kept_size(c, b, kept, *holder, at);
    if (size == 0 || reaches_early(b, at, size)) break;
    const bool whole = holder != nullptr && kept.whole(at, size);
    if (whole && seq_gt(at + size, first) && !offer_early(c, b, kept, at, size, below)) break;
    if (!whole && known) break;
    at += size;
  }
  if (c.state != TcpState::closed) settle_early(b);
}

/// False: look at no more of them.
bool TcpEngine::offer_early(Tcb& c, Busy& b, KeptBytes& kept, Seq first, uint32_t size, uint8_t& below) {
  Packet* const holder = kept.holding(first);
  const uint32_t skipped = first - holder->sequence;
  const bool inside = skipped + size <= holder->payload_length;
  const auto offset = static_cast<uint16_t>(inside ? holder->payload + skipped : 0);
  const uint8_t level =
      inside ? level_of(*holder, holder->data + offset, size) : kept_level(kept, *holder, first, size);
  if (level >= below) return true;
  if (!has_early_room(b, first, first + size)) {
    count(Counter::messages_early_limited);
    return false;
  }
  Packet* const message = inside ? holder : collect_early(kept, *holder, first, size);
  if (message == nullptr) return false;
  if (inside) rx_.hold(holder);
  message->tcp_stamp = to_stamp(now_);
  if (!offer(c, message, offset, static_cast<uint16_t>(size), level)) {
    below = level;
    rx_.release(message);
    return true;
  }
  count(Counter::messages_early);
  if (c.state == TcpState::closed) return false;
  note_early(b, first, first + size);
  return true;
}

/// Of a message that spans packets, before any memory is taken for it.
uint8_t TcpEngine::kept_level(const KeptBytes& kept, const Packet& holder, Seq first, uint32_t size) const {
  if (rules_ == nullptr) return holder.level;
  uint8_t head[kRoom];
  const uint32_t length = kept.copy(first, std::min(size, rules_->reach()), head);
  return rules_->classify_message({head, length}, holder);
}

/// A message that spans packets, in one of its own. Null: memory is needed for other things.
Packet* TcpEngine::collect_early(const KeptBytes& kept, const Packet& holder, Seq first, uint32_t size) {
  if (rx_.available() <= rx_.capacity() / 4) return nullptr;
  Packet* const message = allocate_frame(holder, first);
  if (message == nullptr) return nullptr;
  message->payload_length = static_cast<uint16_t>(kept.copy(first, size, message->data));
  return message;
}

}  // namespace qstack
