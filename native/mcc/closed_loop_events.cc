// The callbacks of ClosedLoop: what the network tells during a turn. They change our own records and note what step() has to
// do; none of them calls the network.
#include <algorithm>

#include "native/mcc/closed_loop.hh"

namespace qstack::mcc {

/// kNoIndex for a connection that we have left.
uint32_t ClosedLoop::number_of(Handle handle) const {
  const uint32_t number = by_slot_.number_of(handle.slot);
  return number != kNoIndex && flows_[number].handle == handle ? number : kNoIndex;
}

bool ClosedLoop::opened(const Opened& event) {
  now_ = arrival_.at_event();
  const uint32_t number = number_of(event.handle);
  if (number == kNoIndex) return true;
  Flow& flow = flows_[number];
  flow.open = true;
  --connecting_;
  ++open_;
  last_sign_ = now_;
  if (phase_ == Phase::running) waiting_.push_back(event.handle);
  if (phase_ == Phase::connecting && !lasting()) {
    probed_ = true;
    part(number);
  }
  return true;
}

bool ClosedLoop::message(const Message& event) {
  now_ = arrival_.at_event();
  held_.push_back({event.handle, event.packet, event.length});
  const uint32_t number = number_of(event.handle);
  if (number == kNoIndex) return true;
  Flow& flow = flows_[number];
  const uint8_t* const bytes = event.packet->data + event.offset;
  if (in_run()) bytes_ += event.length;
  last_sign_ = now_;
  Status status = Status::bad;
  uint32_t used = event.length;
  if (flow.asked != 0) status = echoes() ? read_echo(flow, bytes, event.length) : flow.http.read(bytes, event.length, used);
  if (status == Status::more) return true;
  // Behind a whole reply there is nothing: the next one is not asked for yet.
  if (status == Status::whole && used == event.length) {
    answered(number);
    return true;
  }
  ++mismatched_;
  strange_.push_back(flow.handle);
  gone(number);
  return true;
}

bool ClosedLoop::ended(Handle handle) {
  now_ = arrival_.at_event();
  leaving_.push_back(handle);
  if (const uint32_t number = number_of(handle); number != kNoIndex) gone(number);
  return true;
}

bool ClosedLoop::closed(Handle handle, CloseReason) {
  now_ = arrival_.at_event();
  const uint32_t number = number_of(handle);
  if (number == kNoIndex) --closes_;
  else gone(number);
  return true;
}

/// The message itself: its counter, then what every message has.
ClosedLoop::Status ClosedLoop::read_echo(Flow& flow, const uint8_t* bytes, uint32_t length) {
  if (length > static_cast<uint32_t>(flow.length - flow.got)) return Status::bad;
  for (uint32_t i = 0; i < length; ++i, ++flow.got) {
    const auto expected = flow.got < 4 ? static_cast<uint8_t>(flow.counter >> (8 * flow.got)) : request_[flow.got];
    if (bytes[i] != expected) return Status::bad;
  }
  return flow.got == flow.length ? Status::whole : Status::more;
}

/// True: that was the connection's last reply.
bool ClosedLoop::complete(Flow& flow) {
  count(kRequests, flow.asked, !echoes() && flow.http.code() >= 400);
  flow.asked = 0;
  --asking_;
  if (lasting() || ++flow.done < config_.messages) return false;
  if (flow.counts) count(kConnections, flow.began, false);
  flow.counts = false;
  return true;
}

void ClosedLoop::answered(uint32_t number) {
  Flow& flow = flows_[number];
  if (complete(flow)) {
    part(number);
  } else if (!echoes() && flow.http.closes()) {
    leaving_.push_back(flow.handle);
    gone(number);
  } else {
    waiting_.push_back(flow.handle);
  }
}

void ClosedLoop::count(uint8_t level, Nanos since, bool error) {
  LevelStats& stats = levels_[level];
  last_answer_ = now_;
  if (error) {
    ++stats.counts.errors;
    return;
  }
  const Nanos latency = now_ > since ? now_ - since : 0;
  ++stats.counts.answered;
  stats.latency.record(latency);
  stats.interval.record(latency);
  if (phase_ == Phase::running) stats.end_silence(now_);
}

/// It was not opened, or the peer ended it, or it is of no use any more: another one takes its place.
void ClosedLoop::gone(uint32_t number) {
  Flow& flow = flows_[number];
  if (flow.asked != 0 && flow.http.ends_here()) complete(flow);
  if (!flow.open) {
    ++retries_;
    retry_at_ = now_ + config_.retry;
  }
  if (flow.open && lasting() && in_run()) ++reconnects_;
  if (flow.counts) ++levels_[kConnections].counts.errors;
  leave(number);
}

/// We end it.
void ClosedLoop::part(uint32_t number) {
  const Flow& flow = flows_[number];
  if (flow.handle.slot == kNoIndex) return;
  if (flow.open && flow.asked == 0) leaving_.push_back(flow.handle);
  else strange_.push_back(flow.handle);
  leave(number);
}

/// The number is free; what comes from the connection is of no interest any more.
void ClosedLoop::leave(uint32_t number) {
  Flow& flow = flows_[number];
  if (flow.asked != 0) --asking_;
  --(flow.open ? open_ : connecting_);
  flow = Flow{};
  free_.push_back(number);
}

}  // namespace qstack::mcc
