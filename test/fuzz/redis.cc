// The Redis reply reader: the bytes of a server, cut where the script says, give what they give in one piece. Of an
// array, the items that are written down are walked as stack/redis-reply.ts walks them; an error is read as a
// redirection of a cluster, whose host lies within its text.
#include <string>

#include "native/redis/key_slot.hh"
#include "native/redis/redirect.hh"
#include "native/redis/reply_reader.hh"
#include "test/fuzz/require.hh"
#include "test/fuzz/script.hh"
#include "test/fuzz/targets.hh"

namespace qstack::fuzz {
namespace {

using redis::Reply;
using redis::ReplyReader;

using Bytes = std::vector<uint8_t>;

uint32_t word_at(std::span<const uint8_t> bytes, size_t at) {
  uint32_t word = 0;
  require(at + sizeof word <= bytes.size(), "the items of an array lie within its bytes");
  __builtin_memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

/// Behind the item at `at`. The first array's own count is not written down: its items end with its bytes.
size_t skip_item(std::span<const uint8_t> bytes, size_t at) {
  const auto type = static_cast<abi::RedisType>(word_at(bytes, at));
  const uint32_t length = word_at(bytes, at + 4);
  require(type >= abi::RedisType::string && type <= abi::RedisType::error, "an item has a type");
  at += 8;
  if (type == abi::RedisType::array || type == abi::RedisType::nil) return at;
  require(type != abi::RedisType::integer || length == 8, "an integer has 8 bytes");
  require(at + length <= bytes.size(), "an item ends within its array");
  return at + ((length + 3) & ~size_t{3});
}

void describe_redirect(std::span<const uint8_t> error, std::string& out) {
  const auto to = redis::parse_redirect(error);
  if (!to) return;
  const auto* begin = reinterpret_cast<const uint8_t*>(to->host.data());
  require(begin >= error.data() && begin + to->host.size() <= error.data() + error.size(), "a host lies in its error");
  require(to->slot < redis::kSlots && to->port != 0, "a redirection has a slot and a port");
  out += (to->ask ? " ask " : " moved ") + std::to_string(to->slot) + ' ' + std::to_string(to->port);
}

/// What a client would see, as text, so that two readings can be compared.
void describe(const Reply& reply, std::string& out) {
  out += static_cast<char>('0' + static_cast<int>(reply.type));
  out += reply.too_big ? '!' : '.';
  out += std::to_string(reply.integer) + ':' + std::to_string(reply.bytes.size());
  if (reply.too_big) return;
  out.append(reinterpret_cast<const char*>(reply.bytes.data()), reply.bytes.size());
  if (reply.type == abi::RedisType::error) describe_redirect(reply.bytes, out);
  if (reply.type != abi::RedisType::array) return;
  for (size_t at = 0; at < reply.bytes.size();) at = skip_item(reply.bytes, at);
}

/// Everything up to the first breach of RESP; how many bytes lie behind the last reply is said as well.
class Reading {
 public:
  /// False: broken.
  bool take(std::span<const uint8_t> bytes) {
    require(reader_.feed(bytes), "less than the bound is always taken");
    for (;;) {
      Reply reply;
      const ReplyReader::Next next = reader_.next(reply);
      if (next == ReplyReader::Next::broken) return false;
      if (next == ReplyReader::Next::more) return true;
      describe(reply, text_);
    }
  }
  std::string result(bool broken) { return text_ + (broken ? "broken" : "more"); }
  void reset() {
    reader_.reset();
    text_.clear();
  }

 private:
  ReplyReader reader_;
  std::string text_;
};

std::string random_error(Script& script, uint32_t length) {
  if ((length & 64) == 0) return "-ERR " + std::string(length & 63, 'x') + "\r\n";
  const auto raw = script.bytes(length & 15);
  std::string host(raw.begin(), raw.end());
  std::erase_if(host, [](char c) { return c == '\r' || c == '\n'; });
  const std::string slot = std::to_string(script.u32() % 20'000), port = std::to_string(script.u32() % 70'000);
  return (length & 32 ? "-ASK " : "-MOVED ") + slot + ' ' + host + ':' + port + "\r\n";
}

Bytes random_replies(Script& script) {
  Bytes out;
  const auto add = [&](const std::string& text) { out.insert(out.end(), text.begin(), text.end()); };
  while (!script.done() && out.size() < 20'000) {
    const uint8_t how = script.u8();
    const uint32_t length = script.u8() * (how & 128 ? 100u : 1u);
    switch (how & 7) {
      case 0: add("+OK\r\n"); break;
      case 1: add(random_error(script, length)); break;
      case 2: add(":" + std::to_string(static_cast<int32_t>(script.u32())) + "\r\n"); break;
      case 3: add("$-1\r\n"); break;
      case 4: add("*" + std::to_string(length & 15) + "\r\n"); break;
      case 5: {
        const auto raw = script.bytes(length & 31);
        out.insert(out.end(), raw.begin(), raw.end());
        break;
      }
      default: add("$" + std::to_string(length) + "\r\n" + std::string(length, 'b') + "\r\n"); break;
    }
  }
  return out;
}

}  // namespace

void redis(std::span<const uint8_t> input) {
  Script script(input);
  const uint32_t most = 1 + script.u8();
  const bool any_bytes = most == 1;
  const auto raw = any_bytes ? script.bytes(input.size()) : std::span<const uint8_t>{};
  const Bytes stream = any_bytes ? Bytes(raw.begin(), raw.end()) : random_replies(script);
  Reading reading;
  const bool whole = reading.take(stream);
  const std::string expected = reading.result(!whole);
  reading.reset();
  bool intact = true;
  uint32_t random = most;
  for (size_t at = 0; at < stream.size() && intact;) {
    random = random * 1664525 + 1013904223;
    const size_t length = std::min<size_t>(1 + (random >> 24) % most, stream.size() - at);
    intact = reading.take(std::span(stream).subspan(at, length));
    at += length;
  }
  require(reading.result(!intact) == expected, "cut bytes give the same replies");
}

}  // namespace qstack::fuzz
