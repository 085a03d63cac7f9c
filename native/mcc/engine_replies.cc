// The callbacks of Engine: what the stack tells during a turn. They change our own records and note what step() has to
// do; none of them calls the network.
#include <algorithm>
#include <cstring>

#include "native/mcc/engine.hh"

namespace qstack::mcc {

bool Engine::opened(const Opened& event) {
  if (event.token >= table_.size() || !connector_.opened(static_cast<uint32_t>(event.token), event.handle)) {
    garbled_.push_back(event.handle);
    return true;
  }
  Connection& connection = table_.at(static_cast<uint32_t>(event.token));
  connection.oldest = connection.newest = kNoIndex;
  connection.run = run_;
  connection.base = connection.counter;
  connection.wear = Wear::none;
  if (stream_) stream_->restart(static_cast<uint32_t>(event.token));
  return true;
}

/// Only noted: what a turn brought is read together, so that the cache misses overlap.
bool Engine::message(const Message& event) {
  held_.push_back({event.handle, event.packet, event.offset, event.length, arrival_.at_event()});
  return true;
}

/// Reads the replies that were noted: number of the connection → connection → what it waits for.
void Engine::take_held() {
  constexpr size_t kBatch = 32;
  std::array<uint32_t, kBatch> numbers;
  while (taken_ < held_.size()) {
    const size_t n = std::min(kBatch, held_.size() - taken_);
    const Held* const held = held_.data() + taken_;
    for (size_t i = 0; i < n; ++i) table_.prefetch(held[i].handle);
    for (size_t i = 0; i < n; ++i) {
      numbers[i] = table_.number_of(held[i].handle);
      if (numbers[i] != kNoIndex) table_.prefetch(numbers[i]);
    }
    for (size_t i = 0; i < n; ++i) {
      if (numbers[i] != kNoIndex) pending_.prefetch(table_.at(numbers[i]).oldest);
    }
    for (size_t i = 0; i < n; ++i) {
      const uint32_t number = table_.find(held[i].handle);
      if (number == kNoIndex || table_.at(number).state != ConnectionState::open) continue;
      read_at_ = held[i].arrived;
      consume(number, held[i].packet->data + held[i].offset, held[i].length);
    }
    taken_ += n;
  }
}

/// A reply without a length of its own ends with the connection.
bool Engine::ended(Handle handle) {
  const uint32_t number = table_.find(handle);
  if (stream_ && number != kNoIndex) {
    take_held();
    read_at_ = arrival_.at_event();
    if (stream_->ends_here(number)) answered(number, {Reply::Status::whole});
    stream_->restart(number);
  }
  ended_.push_back(handle);
  return true;
}

bool Engine::closed(Handle handle, CloseReason) {
  take_held();  // its last replies
  uint32_t number = table_.find(handle);
  if (number == kNoIndex) return true;
  Connection& connection = table_.at(number);
  connection.handle = Handle{};
  forget(connection);
  if (connection.state == ConnectionState::closing) {
    connection.state = ConnectionState::closed;
    --closing_;
  } else if (connection.state == ConnectionState::open || connection.state == ConnectionState::connecting ||
             connection.state == ConnectionState::renewing) {
    connector_.lost(number, now_);
  }
  return true;
}

/// The connection's records of an earlier run are gone (the pool was cleared): replies to them are late.
void Engine::freshen(Connection& connection) {
  if (connection.run == run_) return;
  connection.run = run_;
  connection.base = connection.counter;
  connection.oldest = connection.newest = kNoIndex;
}

/// What a lost connection had in flight will not be answered.
void Engine::forget(Connection& connection) {
  if (connection.partial != kNoPartial) assembler_.give(connection.partial);
  connection.partial = kNoPartial;
  if (connection.state != ConnectionState::open && connection.state != ConnectionState::closing) return;
  freshen(connection);
  while (connection.oldest != kNoIndex) {
    uint32_t index = connection.oldest;
    connection.oldest = pending_.at(index).next;
    pending_.give(index);
  }
  connection.newest = kNoIndex;
}

void Engine::consume(uint32_t number, const uint8_t* bytes, uint32_t length) {
  Connection& connection = table_.at(number);
  freshen(connection);
  if (stream_) return consume_stream(number, bytes, length);
  if (connection.partial != kNoPartial) {
    uint32_t used = consume_part(number, bytes, length);
    bytes += used;
    length -= used;
  }
  while (length > 0) {
    Reply reply = parse(number, bytes, length);
    if (reply.status == Reply::Status::whole) {
      answered(number, reply);
      bytes += reply.length;
      length -= reply.length;
      continue;
    }
    if (reply.status == Reply::Status::bad || !keep_part(connection, bytes, length)) garbled(connection);
    return;
  }
}

/// Completes the kept beginning of a reply; returns how many of the new bytes belong to it.
uint32_t Engine::consume_part(uint32_t number, const uint8_t* bytes, uint32_t length) {
  Connection& connection = table_.at(number);
  Assembler::Part& part = assembler_.at(connection.partial);
  uint32_t before = part.length;
  uint32_t added = std::min(length, kReplyMax - before);
  std::memcpy(part.bytes + before, bytes, added);
  part.length = static_cast<uint16_t>(before + added);
  Reply reply = parse(number, part.bytes, part.length);
  if (reply.status == Reply::Status::more && part.length < kReplyMax) return length;
  assembler_.give(connection.partial);
  connection.partial = kNoPartial;
  if (reply.status != Reply::Status::whole) {
    garbled(connection);
    return length;
  }
  answered(number, reply);
  return reply.length - before;
}

void Engine::consume_stream(uint32_t number, const uint8_t* bytes, uint32_t length) {
  while (length > 0) {
    const Reply reply = stream_->read(number, bytes, length);
    if (reply.status == Reply::Status::bad) return garbled(table_.at(number));
    if (reply.status == Reply::Status::whole) answered(number, reply);
    bytes += reply.length;
    length -= reply.length;
  }
}

Reply Engine::parse(uint32_t number, const uint8_t* bytes, uint32_t length) {
  return config_.reply.kind == ReplyKind::echo ? parse_echo(number, bytes, length) : parse_reply(bytes, length);
}

/// A message that comes back: which one its counter says, or else the order.
Reply Engine::parse_echo(uint32_t number, const uint8_t* bytes, uint32_t length) {
  const Connection& connection = table_.at(number);
  Reply reply{Reply::Status::whole, false, 0, 0, !in_order_};
  uint32_t index = connection.oldest;
  if (!in_order_) {
    const MessageTemplate& message = builder_.of(0);
    if (length < uint32_t{message.counter_at} + counter_width(message.counter_form)) return {};
    if (!read_counter(bytes + message.counter_at, message.counter_form, reply.counter)) return {Reply::Status::bad};
    index = find_sent(pending_, connection, reply.counter);
  }
  if (index != kNoIndex) {
    reply.length = length_of(pending_.at(index));
  } else {
    if (in_order_) return {Reply::Status::bad};
    reply.length = builder_.length(choice_.level(number, reply.counter));
  }
  return length < reply.length ? Reply{} : reply;
}

bool Engine::keep_part(Connection& connection, const uint8_t* bytes, uint32_t length) {
  if (length >= kReplyMax) return false;
  connection.partial = assembler_.take();
  if (connection.partial == kNoPartial) return false;
  Assembler::Part& part = assembler_.at(connection.partial);
  std::memcpy(part.bytes, bytes, length);
  part.length = static_cast<uint16_t>(length);
  return true;
}

/// Bytes that are no reply: where the next one starts is unknown, so the connection is given up and opened again.
void Engine::garbled(Connection& connection) {
  ++mismatched_;
  garbled_.push_back(connection.handle);
}

void Engine::answered(uint32_t number, const Reply& reply) {
  ++replies_to_think_about_;
  last_answer_ = read_at_;
  Connection& connection = table_.at(number);
  uint32_t index = connection.oldest;
  if (reply.counted) {
    index = unlink_sent(pending_, connection, reply.counter);
  } else if (index != kNoIndex) {
    unlink_sent(pending_, connection, pending_.at(index).counter);
  }
  if (index == kNoIndex) return unmatched(number, reply);
  const Pending& record = pending_.at(index);
  LevelStats& level = levels_[record.level];
  if (reply.error) {
    ++level.counts.errors;
  } else {
    ++level.counts.answered;
    Nanos latency = read_at_ > record.intended ? read_at_ - record.intended : 0;
    level.latency.record(latency);
    level.interval.record(latency);
    if (phase_ == Phase::running) level.end_silence(read_at_);
  }
  pending_.give(index);
  wear(connection, number);
}

/// The last message of a connection was sent, and perhaps answered.
void Engine::wear(Connection& connection, uint32_t number) {
  if (connection.wear == Wear::last_sent && connection.oldest == kNoIndex) worn_.push_back(number);
}

/// A reply whose request is not waiting: of an earlier run, to a message that the server should not answer, or wrong.
void Engine::unmatched(uint32_t number, const Reply& reply) {
  const Connection& connection = table_.at(number);
  if (!reply.counted) {
    ++(config_.answered_all ? mismatched_ : unexpected_);
    return;
  }
  const uint32_t counter = reply.counter;
  bool sent = static_cast<int32_t>(connection.counter - counter) > 0;
  if (static_cast<int32_t>(counter - connection.base) < 0) {
    ++late_;
  } else if (sent && !awaited(choice_.level(number, counter))) {
    ++unexpected_;
  } else {
    ++mismatched_;
  }
}

}  // namespace qstack::mcc
