// Replies: the counter is found, the end is found, and no byte beyond the given ones is read.
#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/mcc/reply.hh"
#include "native/mcc/reply_stream.hh"
#include "native/mcc/seed.hh"

using namespace qstack::mcc;

namespace {

/// Parses a copy of exact size, so that the address sanitizer sees a read past the end.
Reply parse(const std::string& text) {
  auto exact = std::make_unique<uint8_t[]>(text.size());
  std::memcpy(exact.get(), text.data(), text.size());
  return parse_reply(exact.get(), static_cast<uint32_t>(text.size()));
}

std::string iot(const char* status, const char* counter) {
  std::string text = std::string("HTTP/1") + '\x03' + "1 " + status + " ";
  text.resize(126, 'x');
  text += counter;
  text.resize(146, '\0');
  return text;
}

}  // namespace

TEST_CASE("iot: 146 bytes, counter in hexadecimal at 126") {
  Reply reply = parse(iot("200", "0000beef"));
  CHECK(reply.status == Reply::Status::whole);
  CHECK(reply.length == 146);
  CHECK(reply.counter == 0xbeef);
  CHECK_FALSE(reply.error);
}

TEST_CASE("iot: another status than 2xx is an error reply") { CHECK(parse(iot("503", "00000001")).error); }

TEST_CASE("iot: every beginning of a reply asks for more") {
  std::string text = iot("200", "00000001");
  for (size_t n = 1; n < text.size(); ++n) CHECK(parse(text.substr(0, n)).status == Reply::Status::more);
  CHECK(parse(text + text).length == 146);
}

TEST_CASE("iot: digits that are none are bad") { CHECK(parse(iot("200", "0000000g")).status == Reply::Status::bad); }

TEST_CASE("http: head, body and X-Counter in any case and order") {
  std::string text = "HTTP/1.1 200 OK\r\nx-counter: 000000FF\r\nContent-Length: 3\r\n\r\nabc";
  for (size_t n = 1; n < text.size(); ++n) CHECK(parse(text.substr(0, n)).status == Reply::Status::more);
  Reply reply = parse(text + "HTTP");
  CHECK(reply.status == Reply::Status::whole);
  CHECK(reply.length == text.size());
  CHECK(reply.counter == 255);
  CHECK(parse("HTTP/1.1 503 -\r\nX-Counter: 00000001\r\nContent-Length: 0\r\n\r\n").error);
}

TEST_CASE("http: without length or counter, or with a body that is too long, it is bad") {
  CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").status == Reply::Status::bad);
  CHECK(parse("HTTP/1.1 200 OK\r\nX-Counter: 00000001\r\n\r\n").status == Reply::Status::bad);
  CHECK(parse("HTTP/1.1 200 OK\r\nX-Counter: 00000001\r\nContent-Length: 99999\r\n\r\n").status == Reply::Status::bad);
  CHECK(parse("HTTP/1.1 200 OK\r\n" + std::string(2000, 'a')).status == Reply::Status::bad);
}

TEST_CASE("anything else is bad at its first byte") { CHECK(parse("S").status == Reply::Status::bad); }

TEST_CASE("random bytes behind a right beginning never read past their end") {
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    std::string text = seed % 2 ? "HTTP/1.1 200 OK\r\n" : std::string("HTTP/1\x03") + "1 2";
    size_t length = mix(seed) % 300;
    for (size_t i = 0; i < length; ++i) text += "\r\n: 09afxX-CounterContent-Length"[mix(seed, i) % 31];
    Reply reply = parse(text);
    if (reply.status == Reply::Status::whole) CHECK(reply.length <= text.size());
  }
}

namespace {

/// Reads a stream in pieces of `size` bytes; lengths of the replies that were whole, -1 for a bad one.
std::vector<int> lengths_of(ReplyStream& stream, const std::string& text, size_t size) {
  std::vector<int> out;
  int length = 0;
  for (size_t at = 0; at < text.size(); at += size) {
    const std::string piece = text.substr(at, size);
    const auto exact = std::make_unique<uint8_t[]>(piece.size());
    std::memcpy(exact.get(), piece.data(), piece.size());
    for (uint32_t used = 0; used < piece.size();) {
      const Reply reply = stream.read(1, exact.get() + used, static_cast<uint32_t>(piece.size()) - used);
      if (reply.status == Reply::Status::bad) return out.push_back(-1), out;
      used += reply.length;
      length += static_cast<int>(reply.length);
      if (reply.status == Reply::Status::whole) out.push_back(std::exchange(length, 0));
    }
  }
  return out;
}

}  // namespace

TEST_CASE("fixed: a reply ends behind its bytes, whatever pieces they come in") {
  ReplyFormat format{ReplyKind::fixed, 4000};
  const auto stream = make_reply_stream(format, 2);
  const std::string text(12'000, 'x');
  for (size_t size : {1u, 7u, 1448u, 4000u, 12'000u}) CHECK(lengths_of(*stream, text, size) == std::vector{4000, 4000, 4000});
}

TEST_CASE("length prefix: replies say in either order of bytes how long they are") {
  ReplyFormat format{ReplyKind::length_prefix, 3000, 1, 2, false, 3};
  std::string text = std::string("t\x00\x02", 3) + "ab" + std::string("t\x00\x00", 3) + "t\x07\xd0" + std::string(2000, 'y');
  for (size_t size : {1u, 2u, 5u, 3000u}) {
    const auto stream = make_reply_stream(format, 2);
    CHECK(lengths_of(*stream, text, size) == std::vector{5, 3, 2003});
  }
  format.little_endian = true;
  const auto stream = make_reply_stream(format, 2);
  CHECK(lengths_of(*stream, std::string("t\x02\x00" "ab", 5), 1) == std::vector{5});
}

TEST_CASE("length prefix: a length above the most, or too small for its own field, is bad; another connection is not concerned") {
  ReplyFormat format{ReplyKind::length_prefix, 100, 0, 1, false, 0};
  const auto stream = make_reply_stream(format, 2);
  CHECK(lengths_of(*stream, "\x65", 1) == std::vector{-1});
  stream->restart(1);
  CHECK(lengths_of(*stream, std::string(1, '\0'), 1) == std::vector{-1});
  stream->restart(1);
  CHECK(lengths_of(*stream, "\x02z", 1) == std::vector{2});
}

TEST_CASE("http: a response ends where it says, in whatever pieces; 400 and above is an error") {
  const std::string found = "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + std::string(3000, 'b');
  const std::string missing = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  const std::vector<int> lengths{static_cast<int>(found.size()), static_cast<int>(missing.size())};
  for (size_t size : {1u, 13u, 1448u, 5000u}) {
    const auto stream = make_reply_stream({ReplyKind::http}, 2);
    CHECK(lengths_of(*stream, found + missing, size) == lengths);
  }
  const auto stream = make_reply_stream({ReplyKind::http}, 2);
  const auto read = [&](const std::string& text) {
    return stream->read(0, reinterpret_cast<const uint8_t*>(text.data()), static_cast<uint32_t>(text.size()));
  };
  CHECK_FALSE(read(found).error);
  CHECK(read(missing).error);
  CHECK(read("SSH-2.0-x\r\n").status == Reply::Status::bad);
}

TEST_CASE("http: without a length a response lasts as long as the connection") {
  const auto stream = make_reply_stream({ReplyKind::http}, 2);
  CHECK(lengths_of(*stream, "HTTP/1.1 200 OK\r\n\r\nabc", 5).empty());
  CHECK(stream->ends_here(1));
  CHECK_FALSE(stream->ends_here(0));
}

TEST_CASE("replies with a counter need no stream") {
  CHECK(make_reply_stream({ReplyKind::iot_or_http}, 1) == nullptr);
  CHECK(make_reply_stream({ReplyKind::echo}, 1) == nullptr);
}

TEST_CASE("assembler: a bounded number of parts") {
  Assembler assembler(2);
  uint16_t a = assembler.take(), b = assembler.take();
  CHECK(a != b);
  CHECK(assembler.take() == 0xffff);
  assembler.give(a);
  CHECK(assembler.take() == a);
}
