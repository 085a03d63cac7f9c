// Replies: the counter is found, the end is found, and no byte beyond the given ones is read.
#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <string>

#include "native/mcc/reply.hh"
#include "native/mcc/seed.hh"

using namespace qstack::mcc;

namespace {

const ReplyParser parser(ReplyKind::iot_or_http, 0);

/// Parses a copy of exact size, so that the address sanitizer sees a read past the end.
Reply parse(const std::string& text, const ReplyParser& with = parser) {
  auto exact = std::make_unique<uint8_t[]>(text.size());
  std::memcpy(exact.get(), text.data(), text.size());
  return with.parse(exact.get(), static_cast<uint32_t>(text.size()));
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

TEST_CASE("echo: the request's length and counter") {
  ReplyParser echo(ReplyKind::echo, 16);
  std::string text("\x01\x02\x03\x04", 4);
  text.resize(16, 'x');
  CHECK(parse(text.substr(0, 15), echo).status == Reply::Status::more);
  CHECK(parse(text, echo).counter == 0x04030201);
}

TEST_CASE("random bytes behind a right beginning never read past their end") {
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    std::string text = seed % 2 ? "HTTP/1.1 200 OK\r\n" : std::string("HTTP/1\x03") + "1 2";
    size_t length = mix(seed) % 300;
    for (size_t i = 0; i < length; ++i) text += "\r\n: 09afxX-CounterContent-Length"[mix(seed, i) % 31];
    Reply reply = parse(text);
    if (reply.status == Reply::Status::whole) CHECK(reply.length <= text.size());
  }
}

TEST_CASE("assembler: a bounded number of parts") {
  Assembler assembler(2);
  uint16_t a = assembler.take(), b = assembler.take();
  CHECK(a != b);
  CHECK(assembler.take() == 0xffff);
  assembler.give(a);
  CHECK(assembler.take() == a);
}
