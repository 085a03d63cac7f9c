#include "native/bench/bulk_sink.hh"

#include <cstring>
#include <stdexcept>

namespace qstack::bench {

namespace {
constexpr size_t kReadBuffer = 65'536;
}

BulkSink::BulkSink(const BulkSinkConfig& config)
    : config_(config), data_(2 * kReadBuffer), window_(config.warm_up, config.window) {
  chunks_.reserve(4'096);
}

void BulkSink::attach(Stack& stack) {
  stack_ = &stack;
  ListenerConfig listener;
  listener.port = config_.port;
  if (stack.listen(listener) < 0) throw std::runtime_error("the sink cannot listen");
}

bool BulkSink::opened(const Opened& event) {
  handle_ = event.handle;
  return true;
}

bool BulkSink::message(const Message& event) {
  chunks_.push_back({event.packet, event.offset, event.length});
  return true;
}

bool BulkSink::ended(Handle) {
  ended_ = true;
  return true;
}

bool BulkSink::closed(Handle, CloseReason) {
  done_ = true;
  return true;
}

uint32_t BulkSink::step(Nanos now) {
  const auto work = static_cast<uint32_t>(chunks_.size());
  for (const Chunk& chunk : chunks_) {
    if (config_.copies) std::memcpy(data_.data() + at_, chunk.packet->data + chunk.offset, chunk.length);
    at_ = (at_ + chunk.length) % kReadBuffer;
    total_ += chunk.length;
    stack_->release(handle_, chunk.packet, chunk.length, now);
  }
  chunks_.clear();
  if (work != 0) window_.note(now, total_);
  if ((ended_ || window_.over()) && !closing_ && !done_) {
    closing_ = true;
    stack_->close(handle_, now);
  }
  return work;
}

}  // namespace qstack::bench
