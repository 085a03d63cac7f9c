#include "native/redis/reply_reader.hh"

#include "native/redis/place_heap.hh"

namespace qstack::redis {
namespace {

using abi::RedisType;

constexpr size_t kKeptBuffer = 1024 * 1024;

/// hiredis keeps a pointer per object and asks us to free it; nothing of ours is an object.
char object;

RedisType type_of_string(int hiredis) {
  return hiredis == REDIS_REPLY_ERROR    ? RedisType::error
         : hiredis == REDIS_REPLY_STATUS ? RedisType::status
                                         : RedisType::string;
}

}  // namespace

ReplyReader::ReplyReader()
    : functions_{on_string, on_array, on_integer, on_nil, on_free},
      reader_(redisReaderCreateWithFunctions(&functions_)) {
  staging_.reserve(kPlaceMax);
  if (reader_ == nullptr) return;
  reader_->privdata = this;
  reader_->maxbuf = kKeptBuffer;
}

ReplyReader::~ReplyReader() {
  if (reader_ != nullptr) redisReaderFree(reader_);
}

void ReplyReader::reset() {
  if (reader_ != nullptr) redisReaderFree(reader_);
  reader_ = redisReaderCreateWithFunctions(&functions_);
  staging_.clear();
  reply_ = {};
  if (reader_ == nullptr) return;
  reader_->privdata = this;
  reader_->maxbuf = kKeptBuffer;
}

bool ReplyReader::feed(std::span<const uint8_t> bytes) {
  if (reader_ == nullptr || buffered() + bytes.size() > kBufferedMax) return false;
  return redisReaderFeed(reader_, reinterpret_cast<const char*>(bytes.data()), bytes.size()) == 0;
}

ReplyReader::Next ReplyReader::next(Reply& out) {
  void* done = nullptr;
  if (reader_ == nullptr || redisReaderGetReply(reader_, &done) != 0) return Next::broken;
  if (done == nullptr) return Next::more;
  out = reply_;
  if (out.type != RedisType::integer && out.type != RedisType::nil) out.bytes = staging_;
  reply_ = {};
  return Next::reply;
}

void ReplyReader::append(const void* bytes, size_t length) {
  if (reply_.too_big || staging_.size() + length > kPlaceMax) {
    reply_.too_big = true;
    return;
  }
  const auto* from = static_cast<const uint8_t*>(bytes);
  staging_.insert(staging_.end(), from, from + length);
}

/// The outermost object is described by reply_ itself; those within an array are written one behind the other.
void* ReplyReader::note(const redisReadTask* task, RedisType type, const void* bytes, size_t length, uint32_t word) {
  if (task->parent == nullptr) {
    staging_.clear();
    reply_ = {};
    reply_.type = type;
    append(bytes, length);
    return &object;
  }
  append_word(static_cast<uint32_t>(type));
  append_word(word);
  append(bytes, length);
  constexpr uint8_t kPadding[3] = {};
  append(kPadding, -length & 3);
  return &object;
}

void* ReplyReader::on_string(const redisReadTask* task, char* bytes, size_t length) {
  auto* self = static_cast<ReplyReader*>(task->privdata);
  return self->note(task, type_of_string(task->type), bytes, length, static_cast<uint32_t>(length));
}

void* ReplyReader::on_array(const redisReadTask* task, int count) {
  auto* self = static_cast<ReplyReader*>(task->privdata);
  return self->note(task, RedisType::array, nullptr, 0, static_cast<uint32_t>(count < 0 ? 0 : count));
}

void* ReplyReader::on_integer(const redisReadTask* task, long long value) {
  auto* self = static_cast<ReplyReader*>(task->privdata);
  const bool outermost = task->parent == nullptr;
  self->note(task, RedisType::integer, &value, outermost ? 0 : sizeof value, sizeof value);
  if (outermost) self->reply_.integer = value;
  return &object;
}

void* ReplyReader::on_nil(const redisReadTask* task) {
  return static_cast<ReplyReader*>(task->privdata)->note(task, RedisType::nil, nullptr, 0, 0);
}

void ReplyReader::on_free(void*) {}

}  // namespace qstack::redis
