#include "native/mcc/reply_stream.hh"

#include <algorithm>
#include <span>

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

}  // namespace

std::unique_ptr<ReplyStream> make_reply_stream(const ReplyFormat& format, uint32_t connections) {
  if (format.kind == ReplyKind::iot_or_http || format.kind == ReplyKind::echo) return nullptr;
  return std::make_unique<RecordStream>(format, connections);
}

}  // namespace qstack::mcc
