// Completer: outcomes of commands → completion records, and replies → places in the block.
//
// In: an entry and what became of it. Out: exactly one record per op. Invariant: a record always fits, because the
// client takes commands only while there is room for the completions of all that it holds.
#pragma once

#include <cstring>

#include "native/redis/pending.hh"
#include "native/redis/reply_reader.hh"
#include "native/ring/spsc_ring.hh"

namespace qstack::redis {

class Completer {
 public:
  Completer(const RingView<abi::RedisCompletion>& ring, PlaceHeap& places, const uint8_t* block)
      : ring_(ring), places_(places), block_(block) {}

  /// A reply can be taken in now.
  bool has_room() const { return places_.any_free(); }

  void fail(const Pending& entry, uint16_t shard, abi::RedisStatus status, Stamp now) {
    push(blank(entry.op, shard, status, now - entry.stamp));
  }

  void refuse(uint32_t op) { push(blank(op, abi::kRedisByKey, abi::RedisStatus::refused, 0)); }

  void finish(const Pending& entry, uint16_t shard, const Reply& reply, Stamp now) {
    const bool error = reply.type == abi::RedisType::error;
    abi::RedisCompletion record =
        blank(entry.op, shard, error ? abi::RedisStatus::error : abi::RedisStatus::ok, now - entry.stamp);
    record.type = static_cast<uint8_t>(reply.type);
    record.value_low = static_cast<uint32_t>(reply.integer);
    record.value_high = static_cast<uint32_t>(static_cast<uint64_t>(reply.integer) >> 32);
    if (reply.too_big || !keep(reply, record)) record.status = static_cast<uint8_t>(abi::RedisStatus::too_big);
    push(record);
  }

  /// Completions that JavaScript has not taken.
  uint32_t size() { return ring_.size(); }
  uint32_t room() { return ring_.room(); }
  void publish() {
    if (ring_.unpublished()) ring_.publish();
  }

 private:
  static abi::RedisCompletion blank(uint32_t op, uint16_t shard, abi::RedisStatus status, Stamp elapsed) {
    abi::RedisCompletion record{};
    record.op = op;
    record.status = static_cast<uint8_t>(status);
    record.shard = shard;
    record.place = kNoIndex;
    record.elapsed = elapsed;
    return record;
  }

  bool keep(const Reply& reply, abi::RedisCompletion& record) {
    if (reply.bytes.empty()) return true;
    const Place place = places_.allocate(static_cast<uint32_t>(reply.bytes.size()));
    if (place.id == Place::kNone) return false;
    std::memcpy(place.at, reply.bytes.data(), reply.bytes.size());
    record.place = place.id;
    record.offset = static_cast<uint32_t>(place.at - block_);
    record.length = static_cast<uint32_t>(reply.bytes.size());
    return true;
  }

  void push(const abi::RedisCompletion& record) { ring_.push(record); }

  RingProducer<abi::RedisCompletion> ring_;
  PlaceHeap& places_;
  const uint8_t* block_;
};

}  // namespace qstack::redis
