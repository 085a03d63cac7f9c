// What apps ask of the stack: send, release and connect records, and the end of an app thread.
//
// The second half of AppRings, as templates over the stack, so that the checks are tested without TCP.
// In: records that any app may have written wrongly. Out: calls on the stack for those that pass every check; the
// packets of the others go back to their pool. Invariant: a record is copied before it is checked.
#pragma once

#include <algorithm>
#include <cstring>

#include "native/stack/app_rings.hh"

namespace qstack {

template <typename AnyStack>
uint32_t AppRings::drain(AnyStack& stack, Nanos now) {
  stamp_ = to_stamp(now);
  abi::StackLine& line = arena_.stack_line(stack_);
  store_relaxed(line.stamp, stamp_);
  store_relaxed(line.turns, line.turns + 1);
  uint32_t handled = 0;
  for (uint32_t app = 0; app < sides_.size(); ++app) {
    Side& side = sides_[app];
    handled += drain_releases(stack, app, now) + drain_sends(stack, app, now);
    while (!side.failed_connects.empty() && tell_failed_connect(side, side.failed_connects.front())) {
      side.failed_connects.pop_front();
    }
    while (!side.answers.empty() && push(side, lowest(), side.answers.front())) side.answers.pop_front();
    top_up(side, app);
  }
  return handled;
}

template <typename AnyStack>
uint32_t AppRings::drain_releases(AnyStack& stack, uint32_t app, Nanos now) {
  RingConsumer<abi::ReleaseRecord>& releases = sides_[app].releases;
  uint32_t handled = 0;
  releases.refresh();
  for (uint32_t ahead = 0; ahead < kAhead; ++ahead) prefetch_named(releases.peek(ahead));
  for (abi::ReleaseRecord record; handled < kRecordsPerTurn && releases.take(record); ++handled) {
    prefetch_named(releases.peek(kAhead - 1));
    stack.prefetch(unread_slot(releases.peek(kAhead / 2)));
    stack.prefetch_busy(unread_slot(releases.peek(kAhead / 4)));
    execute_release(stack, app, record, now);
  }
  releases.publish();
  return handled;
}

/// Nothing of the record is checked yet.
template <typename AnyStack>
void AppRings::prefetch_send(const AnyStack& stack, const abi::SendRecord* ahead) const {
  if (ahead == nullptr) return;
  const uint32_t slot = own(ahead->slot, 0).slot;
  if (slot < connections_) __builtin_prefetch(&apps_of_[slot]);
  stack.prefetch(slot);
  prefetch_named(ahead);
}

template <typename Record>
void AppRings::prefetch_named(const Record* ahead) const {
  if (ahead != nullptr && ahead->packet < region_.count) prefetch_packet(region_.at(ahead->packet));
}

/// Whose window this release opens, where its packet has been prefetched; kNoIndex: nobody's. TCP looks at its control block and at
/// what it has under way, and at nothing of a connection whose messages are framed.
inline uint32_t AppRings::unread_slot(const abi::ReleaseRecord* ahead) const {
  if (ahead == nullptr || ahead->packet - first_rx_ >= rx_packets_) return kNoIndex;
  return (region_.at(ahead->packet)->tx_flags & kRxUnread) ? own(ahead->slot, 0).slot : kNoIndex;
}

template <typename AnyStack>
void AppRings::execute_release(AnyStack& stack, uint32_t app, const abi::ReleaseRecord& record, Nanos now) {
  Packet* const packet = take_rx_packet(app, record.packet);
  if (packet == nullptr) {
    ++bad_records_;
    return;
  }
  // The length may be wrong in the app's favour only: TCP never takes more out of a window than it put in.
  const uint16_t length = static_cast<uint16_t>(std::min<uint32_t>(record.length, kHeadroom + kRoom));
  stack.release(own(record.slot, record.generation), packet, length, now);
}

// Tails are loaded from the lowest level to the highest: whatever was published before a record that we see is seen. The
// levels go as the policy says; what a control record must not overtake is the fence's matter.
template <typename AnyStack>
uint32_t AppRings::drain_sends(AnyStack& stack, uint32_t app, Nanos now) {
  Side& side = sides_[app];
  for (uint32_t level = levels_; level-- > 0;) side.sends[level].refresh();
  const auto since = [this, &side](uint32_t level) { return send_since(side, level); };
  uint32_t handled = 0;
  uint32_t mask = sendable(stack, side);
  if (mask != 0) side.policy.begin(mask, stamp_, since);
  while (mask != 0 && handled < kRecordsPerTurn) {
    const auto [level, most] = side.policy.next(mask, since);
    handled += take_sends(stack, app, level, std::min(most, kRecordsPerTurn - handled), now);
    mask = sendable(stack, side);
  }
  for (uint32_t level = 0; level < levels_; ++level) side.sends[level].publish();
  return handled;
}

/// Bit L: at least one record of level L may go now.
template <typename AnyStack>
uint32_t AppRings::sendable(const AnyStack& stack, Side& side) const {
  uint32_t mask = 0;
  for (uint32_t level = 0; level < levels_; ++level) {
    const bool ready = side.sends[level].size() != 0 && stack.send_ready(static_cast<uint8_t>(level));
    mask |= uint32_t{ready} << level;
  }
  return fenced(side) ? mask & ~(1u << lowest()) : mask;
}

/// At least one, at most `most`; tells the policy of their bytes.
template <typename AnyStack>
uint32_t AppRings::take_sends(AnyStack& stack, uint32_t app, uint32_t level, uint32_t most, Nanos now) {
  constexpr uint32_t kControlBytes = 60;  // what has no payload counts as the shortest frame
  Side& side = sides_[app];
  RingConsumer<abi::SendRecord>& sends = side.sends[level];
  const bool low = level == lowest();
  uint32_t taken = 0;
  uint64_t bytes = 0;
  for (uint32_t ahead = 0; ahead < kAhead; ++ahead) prefetch_send(stack, sends.peek(ahead));
  do {
    abi::SendRecord record;
    sends.take(record);
    prefetch_send(stack, sends.peek(kAhead - 1));
    bytes += record.type == static_cast<uint8_t>(abi::SendType::send) ? record.length : kControlBytes;
    execute(stack, app, record, now);
    if (low) side.fence.took_lowest();
    ++taken;
  } while (taken < most && sends.size() != 0 && stack.send_ready(static_cast<uint8_t>(level)) && !(low && fenced(side)));
  if (!low) side.fence.took_higher(level, taken);
  side.policy.charge(level, static_cast<double>(bytes));
  return taken;
}

/// The address of a connect_ipv6 record: four words where other records have their packet's.
inline IpAddress ipv6_of(const abi::SendRecord& record) {
  const uint32_t words[4] = {record.slot, record.offset | (uint32_t{record.length} << 16), record.rx_stamp,
                             record.send_stamp};
  return load_ipv6(reinterpret_cast<const uint8_t*>(words));
}

template <typename AnyStack>
void AppRings::execute(AnyStack& stack, uint32_t app, const abi::SendRecord& record, Nanos now) {
  const auto type = static_cast<abi::SendType>(record.type);
  if (type == abi::SendType::send) return execute_send(stack, app, record, now);
  if (type == abi::SendType::connect) return execute_connect(stack, app, record, record.slot, now);
  if (type == abi::SendType::connect_ipv6) return execute_connect(stack, app, record, ipv6_of(record), now);
  if (record.type < static_cast<uint8_t>(abi::SendType::send) ||
      record.type > static_cast<uint8_t>(abi::SendType::info)) {
    ++bad_records_;
    return;
  }
  const Handle handle = own(record.slot, record.generation);
  if (!owns(app, handle.slot) || !stack.alive(handle)) {
    ++stale_records_;
    return;
  }
  if (type == abi::SendType::shutdown) stack.shutdown(handle, now);
  if (type == abi::SendType::close) stack.close(handle, now);
  if (type == abi::SendType::abort) stack.abort(handle, CloseReason::aborted, now);
  if (type == abi::SendType::drain) stack.request_drain(handle, record.packet, record.cookie, now);
  if (type == abi::SendType::option) execute_option(stack, handle, record, now);
  if (type == abi::SendType::info) execute_info(stack, app, handle, record);
}

/// Apps check what they ask for, so what is refused for its number or value was written by one that does not.
template <typename AnyStack>
void AppRings::execute_option(AnyStack& stack, Handle handle, const abi::SendRecord& record, Nanos now) {
  const auto option = static_cast<TcpOption>(std::min<uint32_t>(record.packet, UINT8_MAX));
  const int fault = stack.set_option(handle, option, record.cookie, now);
  if (fault == -ENOPROTOOPT || fault == -EINVAL) ++bad_records_;
}

template <typename AnyStack>
void AppRings::execute_info(AnyStack& stack, uint32_t app, Handle handle, const abi::SendRecord& record) {
  Side& side = sides_[app];
  if (record.packet >= abi::kInfosPerApp || side.answers.size() >= abi::kInfosPerApp) {
    ++bad_records_;
    return;
  }
  uint8_t* const place = arena_.info(app, record.packet);
  const TcpInfo info = stack.info(handle).value_or(TcpInfo{});
  std::memcpy(place, &info, sizeof(info));
  auto* const options = reinterpret_cast<uint32_t*>(place + sizeof(info));
  for (uint32_t i = 0; i < kTcpOptions; ++i) {
    options[i] = stack.option(handle, static_cast<TcpOption>(i)).value_or(kOptionUnset);
  }
  abi::EventRecord answer = record_of(abi::EventType::info, handle);
  answer.cookie = record.cookie;
  answer.offset = static_cast<uint32_t>(place - arena_.base());
  answer.length = sizeof(info) + kTcpOptions * 4;
  if (!push(side, lowest(), answer)) side.answers.push_back(answer);
}

template <typename AnyStack>
void AppRings::execute_send(AnyStack& stack, uint32_t app, const abi::SendRecord& record, Nanos now) {
  Packet* const packet = take_tx_packet(app, record.packet);
  if (packet == nullptr) {
    ++bad_records_;
    return;
  }
  const bool fits = record.length > 0 && uint32_t{record.offset} + record.length <= kRoom;
  const Handle handle = own(record.slot, record.generation);
  const bool owned = owns(app, handle.slot);
  if (!fits || record.level >= levels_ || !owned) {
    tx_.release(packet);
    ++(fits && record.level < levels_ ? stale_records_ : bad_records_);
    return;
  }
  packet->data = PacketRegion::buffer(packet);
  packet->payload = static_cast<uint16_t>(kHeadroom + record.offset);
  packet->payload_length = record.length;
  packet->level = record.level;
  packet->rx_stamp = record.rx_stamp;
  packet->tcp_stamp = record.send_stamp;
  const bool more = record.flags & static_cast<uint16_t>(abi::SendFlag::more);
  stack.send(handle, packet, now, !more);
}

template <typename AnyStack>
void AppRings::execute_connect(AnyStack& stack, uint32_t app, const abi::SendRecord& record, const IpAddress& to,
                               Nanos now) {
  const auto framing = framings_.find(static_cast<uint16_t>(record.packet));
  if (framing == framings_.end() || record.packet > UINT16_MAX) {
    ++bad_records_;
    sides_[app].failed_connects.push_back({record.cookie});
    return;
  }
  const Endpoint remote{to, static_cast<uint16_t>(record.generation)};
  const Endpoint local{{}, static_cast<uint16_t>(record.generation >> 16)};
  if (const std::optional<uint32_t> other = stack.elsewhere(local, remote)) {
    sides_[app].failed_connects.push_back({record.cookie, CloseReason::elsewhere, *other});
    return;
  }
  const Handle handle = stack.connect(local, remote, framing->second, record.cookie, now);
  if (handle.slot >= connections_) {
    sides_[app].failed_connects.push_back({record.cookie});
    return;
  }
  apps_of_[handle.slot] = static_cast<uint8_t>(app);
  generations_[handle.slot] = handle.generation;
  connecting_[handle.slot] = record.cookie;
}

template <typename AnyStack>
uint32_t AppRings::reclaim(AnyStack& stack, uint32_t app, Nanos now) {
  const int wake_fd = sides_[app].wake_fd;
  sides_[app].lost = true;
  uint32_t reset = 0;
  for (uint32_t slot = 0; slot < connections_; ++slot) {
    if (apps_of_[slot] != app) continue;
    stack.abort(Handle{slot, generations_[slot]}, CloseReason::app_lost, now);
    apps_of_[slot] = kNoApp;
    ++reset;
  }
  take_back_packets(stack, app, now);
  reset_rings(app);
  sides_[app].wake_fd = wake_fd;
  sides_[app].lost = true;
  return reset;
}

template <typename AnyStack>
void AppRings::take_back_packets(AnyStack& stack, uint32_t app, Nanos now) {
  for (uint32_t index = first_rx_; index < first_rx_ + rx_packets_; ++index) {
    const Packet* const packet = region_.at(index);
    while (packet->owner == owner_of(app)) stack.release(Handle{}, take_rx_packet(app, index), 0, now);
  }
  for (uint32_t index = first_tx_; index < first_tx_ + tx_packets_; ++index) {
    if (region_.at(index)->owner == owner_of(app)) tx_.release(take_tx_packet(app, index));
  }
}

}  // namespace qstack
