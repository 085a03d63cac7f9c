#include "native/sim/sim_app.hh"

#include <algorithm>
#include <cstring>

#include "native/wire/bytes.hh"

namespace qstack::sim {
namespace {

/// What a message says of itself where it has a length, or messages of several levels share a connection: its level,
/// its length, which is 0 where that is fixed, and its number.
constexpr uint16_t kMessageHeader = 7, kNumberAt = 3;

bool describes_itself(const Behaviour& plan, const FramingPlan& framing) {
  return plan.levels > 1 || framing.framing == Framing::length_prefix;
}
/// How often an app looks whether there is room again.
constexpr Nanos kLook = 500'000;

Endpoint endpoint_of(uint8_t host, bool ipv6, uint16_t port) {
  return {ipv6 ? ipv6_of(host) : IpAddress(ipv4_of(host)), port};
}
Endpoint local_of(const TransferPlan& t, uint16_t port) { return endpoint_of(t.host[0], t.ipv6, port); }
Endpoint remote_of(const TransferPlan& t) {
  return endpoint_of(t.host[1], t.ipv6, static_cast<uint16_t>(kFirstPort + t.framing[1]));
}

uint64_t level_key(const Attempt& attempt, uint8_t side, uint8_t level) {
  return Ledger::key_of(attempt, side) + 7'919u * level;
}

}  // namespace

End* SimApp::find(Handle handle) {
  End& end = ends_[handle.slot];
  return end.attempt != nullptr && end.mine().handle == handle ? &end : nullptr;
}

void SimApp::take(Attempt& attempt, uint8_t side, Handle handle) {
  End& end = ends_[handle.slot];
  end = End{};
  end.attempt = &attempt;
  end.side = side;
  Side& mine = end.mine();
  mine.handle = handle;
  mine.host = host_;
  mine.life = life_;
  active_.push_back(handle.slot);
}

std::optional<uint32_t> SimApp::elsewhere(const TransferPlan& t, uint16_t port) const {
  return stack_->elsewhere(local_of(t, port), remote_of(t));
}

bool SimApp::connect(uint32_t transfer, const TransferPlan& t, uint16_t port) {
  const FramingPlan& framing = kFramings[t.framing[0]];
  ListenerConfig config = listener_of(plan_, framing, 0);
  config.options.put(TcpOption::no_delay, t.nagle ? 0 : 1);
  const Handle handle = stack_->connect(local_of(t, port), remote_of(t), config, transfer, now_);
  const Tcb* const c = handle.slot == kNoIndex ? nullptr : stack_->engine().inspect(handle);
  if (c == nullptr) return false;
  take(ledger_.begin(transfer, host_, life_, handle, c->key.local_port, c->snd_una), 0, handle);
  return true;
}

bool SimApp::opened(const Opened& event) {
  const Tcb& c = *stack_->engine().inspect(event.handle);
  if (event.listener == 0xffff) {
    End* const end = find(event.handle);
    if (!ledger_.require(end != nullptr && !end->mine().opened, "an active open is told of once")) return true;
    if (refuses()) return false;
    ledger_.opened(*end->attempt, end->side, c);
    return true;
  }
  if (refuses()) return false;
  const IpAddress& from = event.remote.address;
  const auto client = static_cast<uint8_t>(from.is_ipv4() ? from.ipv4() - kFirstIpv4 : from.low - 1);
  Attempt* const attempt = ledger_.accepted(client, host_, event, c.rcv_nxt - 1);
  if (attempt == nullptr || !ledger_.require(ends_[event.handle.slot].attempt == nullptr, "a slot is opened once"))
    return true;
  Side& mine = attempt->side[1];
  if (mine.opened && !mine.closed && mine.life == life_ && !stack_->alive(mine.handle)) return false;  // its end is due
  // A cookie knows no connections: while one is valid, an old segment opens again what has been closed (RFC 4987 3.6).
  const bool by_cookie = mine.closed && stack_->counters().get(Counter::syn_cookies_accepted) != 0;
  attempt->doomed |= by_cookie;
  attempt->reborn |= by_cookie;
  const bool once = !mine.opened || mine.life != life_ || by_cookie;
  if (!ledger_.require(once, "a connection is opened once", attempt, 1)) return true;
  const Seq arrived = mine.recv_max;
  const std::vector<Seq> edges = mine.early_edges;
  mine = Side{};
  mine.recv_max = arrived;
  mine.early_edges = edges;
  take(*attempt, 1, event.handle);
  ledger_.opened(*attempt, 1, c);
  return true;
}

bool SimApp::message(const Message& event) {
  End* const end = find(event.handle);
  if (!ledger_.require(end != nullptr && end->mine().opened, "messages follow the opening")) return false;
  Side& mine = end->mine();
  ledger_.require(!mine.ended, "no message follows the end", end->attempt, end->side);
  ledger_.require(event.length != 0, "a message has bytes", end->attempt, end->side);
  if (refuses() || stalls(event.level)) return false;
  const uint16_t fixed = end->framing().fixed_length;
  ledger_.require(fixed == 0 || event.length == fixed, "a message has its length", end->attempt, end->side);
  check_place(*end, event);
  mine.delivered += event.length;
  const Behaviour& plan = end->plan();
  const bool keep = !healed_ && end->kept.size() < plan.hold_max && rx_->available() > rx_->capacity() / 2;
  if (keep) {
    end->kept.push_back({event, now_ + uint64_t{random_.below(plan.hold_us)} * 1'000});
  } else {
    stack_->release(event.handle, event.packet, event.length, now_);
  }
  return true;
}

/// As when the event ring of a level stays full for a while; that of level 0 does not.
bool SimApp::stalls(uint8_t level) const {
  if (plan_.stall_us == 0 || healed_ || (level == 0 && plan_.config.tcp.levels > 1)) return false;
  return Random(seed_, kPurpose + host_, now_ / (uint64_t{plan_.stall_us} * 1'000)).chance(500'000);
}

void SimApp::check_place(End& end, const Message& event) {
  const Attempt& a = *end.attempt;
  Side& mine = end.mine();
  const Packet& packet = *event.packet;
  const uint8_t* const bytes = packet.data + event.offset;
  const uint32_t place = packet.sequence + event.offset - packet.payload - (mine.irs + 1);
  ledger_.require(mine.given.add(place, event.length), "each byte comes once", &a, end.side);
  uint32_t& next = mine.next_place[event.level];
  // A segment that is cut otherwise when it is sent again begins with another byte, and so is of another level.
  const bool cut = end.framing().framing == Framing::segment && (plan_.judges || plan_.high_length != 0);
  ledger_.require(plan_.unordered || cut || a.altered || place >= next, "what is of one level comes in order", &a, end.side);
  next = std::max(next, place + event.length);
  const auto lowest = static_cast<uint8_t>(plan_.config.tcp.levels - 1);
  const bool judged = plan_.judges && end.framing().framing != Framing::stream;
  ledger_.require(!judged || event.level == std::min(bytes[0], lowest), "a message has the level of its first byte", &a,
                  end.side);
  const FramingPlan& framing = end.framing();
  ledger_.require(framing.framing != Framing::length_prefix || framing.prefix.length(bytes + 1) == event.length,
                  "a message has the length that it says", &a, end.side);
  if (!a.altered) check_bytes(end, bytes, event.length, place);
}

void SimApp::check_bytes(End& end, const uint8_t* bytes, uint16_t length, uint32_t place) {
  const Attempt& a = *end.attempt;
  if (a.reborn && end.side == 0) return;  // side 1 wrote twice, from the same sequence number on
  if (describes_itself(end.peer_plan(), end.framing())) return check_message(end, bytes, length);
  const uint8_t* const expected = ledger_.pattern().at(Ledger::key_of(a, 1 - end.side), place);
  ledger_.require(std::memcmp(bytes, expected, length) == 0, "each byte comes unaltered, in its place", &a, end.side);
}

void SimApp::check_message(End& end, const uint8_t* bytes, uint16_t length) {
  const Attempt& a = *end.attempt;
  const uint8_t peer = 1 - end.side, level = bytes[0];
  const uint32_t number = load_be32(bytes + kNumberAt);
  if (!ledger_.require(level < kLevelsMax, "each message comes unaltered", &a, end.side)) return;
  // Frames of a level that is judged by their length hold messages of any.
  const bool ordered = !plan_.unordered && (plan_.judges || plan_.high_length == 0);
  ledger_.require(!ordered || number == end.next_in[level], "the messages of a level come in order", &a, end.side);
  ++end.next_in[level];
  const uint8_t* const expected = ledger_.pattern().at(level_key(a, peer, level), uint64_t{number} * length);
  ledger_.require(std::memcmp(bytes + kMessageHeader, expected, length - kMessageHeader) == 0,
                  "each message comes unaltered", &a, end.side);
}

bool SimApp::ended(Handle handle) {
  End* const end = find(handle);
  if (!ledger_.require(end != nullptr && end->mine().opened, "an end follows the opening")) return true;
  const Attempt& a = *end->attempt;
  Side& mine = end->mine();
  const Side& peer = a.side[1 - end->side];
  ledger_.require(!mine.ended, "a connection ends once", &a, end->side);
  if (refuses()) return false;
  ledger_.require(a.doomed || peer.shut, "an end follows the peer's close", &a, end->side);
  const uint16_t fixed = end->framing().fixed_length;
  const uint64_t whole = fixed == 0 ? peer.sent : peer.sent - peer.sent % fixed;
  ledger_.require(a.doomed || mine.delivered == whole, "an end follows every byte", &a, end->side);
  mine.ended = true;
  return true;
}

bool SimApp::closed(Handle handle, CloseReason reason) {
  if (refuses()) return false;
  End* const end = find(handle);
  if (!ledger_.require(end != nullptr, "what closes was opened, and did not close before")) return true;
  Attempt& a = *end->attempt;
  Side& mine = end->mine();
  const Side& peer = a.side[1 - end->side];
  release_all(*end);
  mine.closed = mine.gone = true;
  mine.reason = reason;
  if (reason == CloseReason::finished) {
    ledger_.require(mine.shut, "nothing finishes that the app did not close", &a, end->side);
    const uint16_t fixed = kFramings[a.plan->framing[1 - end->side]].fixed_length;
    const uint64_t whole = fixed == 0 ? mine.sent : mine.sent - mine.sent % fixed;
    ledger_.require(a.doomed || peer.delivered >= whole, "what was acknowledged is the peer app's", &a, end->side);
  }
  end->attempt = nullptr;
  std::erase(active_, handle.slot);
  return true;
}

bool SimApp::drained(Handle handle, uint32_t cookie) {
  End* const end = find(handle);
  if (!ledger_.require(end != nullptr && end->waits && cookie == handle.slot, "drained answers a request")) return true;
  if (refuses()) return false;
  end->waits = false;
  return true;
}

Nanos SimApp::next_wake() const {
  Nanos next = UINT64_MAX;
  for (const uint32_t slot : active_) {
    const End& end = ends_[slot];
    const Side& mine = end.mine();
    if (!end.kept.empty()) next = std::min(next, healed_ ? now_ : end.kept.front().until);
    if (mine.opened && !mine.shut && !end.waits) next = std::min(next, end.wake);
  }
  return next;
}

bool SimApp::step() {
  bool work = false;
  for (size_t i = 0; i < active_.size();) {
    const uint32_t slot = active_[i];
    work |= step(ends_[slot]);
    if (i < active_.size() && active_[i] == slot) ++i;  // unless it has closed
  }
  // Each goes first in turn: a bulk writer would take every packet that comes free from those behind it.
  if (!active_.empty()) std::rotate(active_.begin(), active_.begin() + 1, active_.end());
  return work;
}

bool SimApp::step(End& end) {
  Side& mine = end.mine();
  if (!mine.opened) return false;
  bool work = release_due(end);
  const Behaviour& plan = end.plan();
  const bool aborts = plan.abort_at != 0 && mine.sent + mine.delivered >= plan.abort_at;
  if (!mine.given_up && (aborts || orphaned(end))) {
    mine.given_up = true;
    stack_->abort(mine.handle, CloseReason::aborted, now_);
    return true;
  }
  if (mine.shut || end.waits || (end.wake > now_ && !healed_)) return work;
  return write(end) || work;
}

/// The peer is gone without a word: in good weather the app loses its patience, so that others get the memory.
bool SimApp::orphaned(const End& end) const {
  const Attempt& a = *end.attempt;
  return healed_ && (a.doomed || (a.plan->violent() && a.side[1 - end.side].gone));
}

bool SimApp::write(End& end) {
  const Behaviour& plan = end.plan();
  Side& mine = end.mine();
  bool wrote = false;
  for (uint32_t i = 0; i < plan.burst && mine.sent < plan.bytes; ++i) {
    if (stack_->unsent(mine.handle) >= plan.unsent_max) {
      if (plan.drains) {
        end.waits = true;
        stack_->request_drain(mine.handle, plan.unsent_max / 2, mine.handle.slot, now_);
      }
      break;
    }
    if (!write_one(end)) break;
    wrote = true;
  }
  end.wake = now_ + kLook;
  if (plan.pause_us != 0 && !healed_) end.wake += uint64_t{random_.below(plan.pause_us)} * 1'000;
  if (end.attempt == nullptr || mine.sent < plan.bytes) return wrote;
  return finish_writing(end) || wrote;
}

/// An app leaves a quarter of the packets to the stack, which could not acknowledge anything otherwise.
bool SimApp::write_one(End& end) {
  const Behaviour& plan = end.plan();
  Side& mine = end.mine();
  const uint8_t level = plan.levels > 1 ? static_cast<uint8_t>(random_.below(plan.levels)) : plan.level;
  if (!stack_->send_ready(level) || tx_->available() <= tx_->capacity() / 4) return false;
  Packet* const packet = tx_->allocate();
  const uint16_t length = next_length(end);
  packet->data = PacketRegion::payload_start(packet);
  packet->payload = 0;
  packet->payload_length = length;
  packet->level = level;
  fill(end, *packet, level, length);
  mine.sent += length;
  const bool whole = describes_itself(plan, end.peer_framing()) || random_.chance(800'000);
  if (stack_->send(mine.handle, packet, now_, whole)) return true;
  mine.sent -= length;
  return false;
}

/// The last message takes what would be too short for one.
uint16_t SimApp::next_length(End& end) {
  const Behaviour& plan = end.plan();
  const uint64_t left = plan.bytes - end.mine().sent;
  const auto length =
      static_cast<uint16_t>(std::min<uint64_t>(random_.between(plan.write_least, plan.write_most), left));
  const FramingPlan& framing = end.peer_framing();
  const bool enough = left - length >= kMessageHeader || left == length;
  if (framing.framing != Framing::length_prefix || enough) return length;
  const bool fits = left <= framing.prefix.maximum;
  return static_cast<uint16_t>(fits ? left : length - kMessageHeader);
}

void SimApp::fill(End& end, Packet& packet, uint8_t level, uint16_t length) {
  const Attempt& a = *end.attempt;
  const FramingPlan& framing = end.peer_framing();
  if (!describes_itself(end.plan(), framing)) {
    std::memcpy(packet.data, ledger_.pattern().at(Ledger::key_of(a, end.side), end.mine().sent), length);
    return;
  }
  const uint32_t number = end.next_out[level]++;
  packet.data[0] = level;
  store_be16(packet.data + 1, 0);
  if (framing.framing == Framing::length_prefix) {
    const auto told = static_cast<uint16_t>(length - framing.prefix.adjust);
    store_be16(packet.data + 1, framing.prefix.little_endian ? __builtin_bswap16(told) : told);
  }
  store_be32(packet.data + kNumberAt, number);
  const uint8_t* const bytes = ledger_.pattern().at(level_key(a, end.side, level), uint64_t{number} * length);
  std::memcpy(packet.data + kMessageHeader, bytes, length - kMessageHeader);
}

bool SimApp::finish_writing(End& end) {
  Side& mine = end.mine();
  mine.shut = true;
  if (end.plan().early_close) {
    mine.given_up = true;
    stack_->close(mine.handle, now_);
  } else {
    stack_->shutdown(mine.handle, now_);
  }
  return true;
}

bool SimApp::release_due(End& end) {
  bool released = false;
  while (!end.kept.empty() && (healed_ || end.kept.front().until <= now_)) {
    const Message m = end.kept.front().message;
    end.kept.pop_front();
    stack_->release(m.handle, m.packet, m.length, now_);
    released = true;
  }
  return released;
}

void SimApp::release_all(End& end) {
  for (const End::Kept& kept : end.kept) {
    stack_->release(kept.message.handle, kept.message.packet, kept.message.length, now_);
  }
  end.kept.clear();
}

void SimApp::abort_all() {
  while (!active_.empty()) {
    End& end = ends_[active_.front()];
    end.attempt->doomed = true;
    end.mine().given_up = true;
    stack_->abort(end.mine().handle, CloseReason::aborted, now_);
    if (!active_.empty() && &ends_[active_.front()] == &end && end.attempt != nullptr) return;  // told next turn
  }
}

}  // namespace qstack::sim
