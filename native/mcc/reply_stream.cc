#include "native/mcc/reply_stream.hh"

#include <algorithm>
#include <memory>
#include <span>

#include "native/mcc/http_reader.hh"

namespace qstack::mcc {

namespace {

/// Replies of a fixed length, or such as say in their first bytes how long they are.
class RecordStream final : public ReplyStream {
 public:
  RecordStream(const ReplyFormat& format, uint32_t connections)
      : format_(format),
        head_(format.kind == ReplyKind::fixed ? 0u : uint32_t{format.offset} + format.width),
        memory_(size_t{connections} * sizeof(Place)),
        places_(reinterpret_cast<Place*>(memory_.data()), connections) {}

  Reply read(uint32_t connection, const uint8_t* bytes, uint32_t length) override {
    Place& place = places_[connection];
    uint32_t used = 0;
    while (place.at < head_ && used < length) take_head(place, bytes[used++]);
    if (place.at < head_) return {Reply::Status::more, false, used, 0};
    const int64_t whole = head_ == 0 ? format_.length : int64_t{place.value} + format_.adjust;
    if (whole < head_ || whole > format_.length) return {Reply::Status::bad, false, used, 0};
    const uint32_t rest = std::min(static_cast<uint32_t>(whole) - place.at, length - used);
    place.at += rest;
    used += rest;
    if (place.at < whole) return {Reply::Status::more, false, used, 0};
    place = {};
    return {Reply::Status::whole, false, used, 0};
  }

  bool ends_here(uint32_t) const override { return false; }
  void restart(uint32_t connection) override { places_[connection] = {}; }
  MemoryRegion memory() const override { return memory_.region(); }

 private:
  struct Place {
    uint32_t at;     ///< bytes of the reply so far
    uint32_t value;  ///< of its length field so far
  };

  void take_head(Place& place, uint8_t byte) const {
    if (place.at >= format_.offset) {
      const uint32_t number = place.at - format_.offset;
      if (format_.little_endian) {
        place.value |= uint32_t{byte} << (8 * number);
      } else {
        place.value = place.value << 8 | byte;
      }
    }
    ++place.at;
  }

  ReplyFormat format_;
  uint32_t head_;  ///< bytes up to the end of the length field
  Mapping memory_;
  std::span<Place> places_;
};

/// Responses of HTTP/1; one of 400 or above is an error.
class HttpStream final : public ReplyStream {
 public:
  explicit HttpStream(uint32_t connections)
      : memory_(size_t{connections} * sizeof(HttpReader)),
        readers_(reinterpret_cast<HttpReader*>(memory_.data()), connections) {
    std::uninitialized_value_construct(readers_.begin(), readers_.end());
  }

  Reply read(uint32_t connection, const uint8_t* bytes, uint32_t length) override {
    HttpReader& reader = readers_[connection];
    Reply reply;
    const HttpReader::Status status = reader.read(bytes, length, reply.length);
    if (status == HttpReader::Status::bad) reply.status = Reply::Status::bad;
    if (status == HttpReader::Status::whole) reply.status = Reply::Status::whole;
    reply.error = reader.code() >= 400;
    return reply;
  }

  bool ends_here(uint32_t connection) const override { return readers_[connection].ends_here(); }
  void restart(uint32_t connection) override { readers_[connection].restart(); }
  MemoryRegion memory() const override { return memory_.region(); }

 private:
  Mapping memory_;
  std::span<HttpReader> readers_;
};

}  // namespace

std::unique_ptr<ReplyStream> make_reply_stream(const ReplyFormat& format, uint32_t connections) {
  if (format.kind == ReplyKind::iot_or_http || format.kind == ReplyKind::echo) return nullptr;
  if (format.kind == ReplyKind::http) return std::make_unique<HttpStream>(connections);
  return std::make_unique<RecordStream>(format, connections);
}

}  // namespace qstack::mcc
