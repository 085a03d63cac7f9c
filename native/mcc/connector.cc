#include "native/mcc/connector.hh"

#include <algorithm>

namespace qstack::mcc {

namespace {
constexpr Nanos kBatchInterval = 1'000'000'000;
constexpr Nanos kMillisecond = 1'000'000;
}  // namespace

Connector::Connector(const ConnectorConfig& config, ConnectionTable& table, const AddressPool& addresses,
                     Network& network)
    : config_(config), table_(table), addresses_(addresses), network_(network) {}

void Connector::begin(Nanos now) {
  start_ = now;
  begun_ = true;
}

/// Connections whose batch has come: equal batches, and the last one reaches the last connection.
uint32_t Connector::allowed(Nanos now) const {
  uint64_t batches = std::max(config_.batches, 1u);
  uint64_t batch = std::min((now - start_) / kBatchInterval + 1, batches);
  return static_cast<uint32_t>(uint64_t{table_.size()} * batch / batches);
}

uint32_t Connector::connecting_limit() const {
  return std::min(config_.connecting_max, config_.connecting_first + connected_);
}

uint32_t Connector::step(Nanos now, uint32_t budget) {
  if (!begun_ || stopped_) return 0;
  uint32_t done = 0;
  uint32_t limit = allowed(now);
  while (done < budget && connecting_ < connecting_limit()) {
    if (again_.first != kNoIndex) {
      open(pop(again_), now);
    } else if (retry_due(now)) {
      open(pop(resting_), now);
    } else if (started_ < limit) {
      open(started_++, now);
    } else {
      break;
    }
    ++done;
  }
  return done;
}

void Connector::open(uint32_t number, Nanos now) {
  Connection& connection = table_.at(number);
  Endpoint local = addresses_.at(number, connection.attempts++);
  Handle handle = network_.connect(local, number, now);
  if (handle.slot == kNoIndex) {
    ++retries_;
    rest(number, now);
    return;
  }
  connection.state = ConnectionState::connecting;
  table_.bind(number, handle);
  ++connecting_;
}

bool Connector::opened(uint32_t number, Handle handle) {
  if (number >= table_.size()) return false;
  Connection& connection = table_.at(number);
  if (connection.state != ConnectionState::connecting || connection.handle != handle) return false;
  connection.state = ConnectionState::open;
  --connecting_;
  ++connected_;
  return true;
}

void Connector::renew(uint32_t number) {
  table_.at(number).state = ConnectionState::renewing;
  --connected_;
}

void Connector::lost(uint32_t number, Nanos now) {
  switch (table_.at(number).state) {
    case ConnectionState::renewing:
      ++renewals_;
      table_.at(number).state = ConnectionState::resting;
      return push(again_, number);
    case ConnectionState::connecting:
      --connecting_;
      ++retries_;
      break;
    default:
      --connected_;
      ++reconnects_;
  }
  rest(number, now);
}

void Connector::rest(uint32_t number, Nanos now) {
  Connection& connection = table_.at(number);
  connection.state = ConnectionState::resting;
  connection.newest = static_cast<uint32_t>(now / kMillisecond) + config_.retry_ms;
  push(resting_, number);
}

void Connector::push(List& list, uint32_t number) {
  table_.at(number).oldest = kNoIndex;
  (list.first == kNoIndex ? list.first : table_.at(list.last).oldest) = number;
  list.last = number;
}

bool Connector::retry_due(Nanos now) const {
  if (resting_.first == kNoIndex) return false;
  return static_cast<int32_t>(static_cast<uint32_t>(now / kMillisecond) - table_.at(resting_.first).newest) >= 0;
}

uint32_t Connector::pop(List& list) {
  const uint32_t number = list.first;
  Connection& connection = table_.at(number);
  list.first = connection.oldest;
  connection.oldest = connection.newest = kNoIndex;
  return number;
}

}  // namespace qstack::mcc
