// Where a reply of HTTP/1 ends, in whatever pieces it comes.
#include <doctest/doctest.h>

#include <string>

#include "native/mcc/http_reader.hh"

using namespace qstack::mcc;
using Status = HttpReader::Status;

namespace {

/// Reads `text` in pieces of `piece` bytes; `used` is where the reader stopped.
Status read(HttpReader& reader, const std::string& text, uint32_t piece, uint32_t& used) {
  Status status = Status::more;
  for (used = 0; used < text.size() && status == Status::more;) {
    uint32_t taken = 0;
    const auto n = std::min<uint32_t>(piece, static_cast<uint32_t>(text.size()) - used);
    status = reader.read(reinterpret_cast<const uint8_t*>(text.data()) + used, n, taken);
    used += taken;
  }
  return status;
}

void check_whole(const std::string& reply, uint16_t code) {
  for (uint32_t piece : {1u, 2u, 3u, 7u, 4096u}) {
    CAPTURE(piece);
    HttpReader reader;
    for (int repeats = 0; repeats < 2; ++repeats) {
      uint32_t used = 0;
      CHECK(read(reader, reply + "HTTP/1.1 ", piece, used) == Status::whole);
      CHECK(used == reply.size());
      CHECK(reader.code() == code);
    }
  }
}

Status status_of(const std::string& text) {
  HttpReader reader;
  uint32_t used = 0;
  return read(reader, text, 4096, used);
}

}  // namespace

TEST_CASE("RFC 9112 6.3: a reply ends where Content-Length says, in any case of letters") {
  check_whole("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello", 200);
  check_whole("HTTP/1.1 404 Not Found\r\ncontent-LENGTH:0\r\n\r\n", 404);
  check_whole("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200);
  check_whole("HTTP/1.1 200 OK\r\nContent-Length-X: 9\r\nX-Content-Length: 9\r\nContent-Length: 1\r\n\r\n!", 200);
}

TEST_CASE("a body may look like a head") {
  check_whole("HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\nHTTP/1.1 500 Bad\r\n\r\nabc", 200);
}

TEST_CASE("chunks, with extensions and trailers") {
  check_whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n", 200);
  check_whole("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\n!\r\n0\r\nX-Sum: 5\r\n\r\n", 200);
}

TEST_CASE("204 and 304 have no body, and an interim reply is followed by the one that counts") {
  check_whole("HTTP/1.1 204 No Content\r\n\r\n", 204);
  check_whole("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", 304);
  check_whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 200);
}

TEST_CASE("without a length the reply ends with the connection") {
  HttpReader reader;
  uint32_t used = 0;
  CHECK_FALSE(reader.ends_here());
  CHECK(read(reader, "HTTP/1.0 200 OK\r\n\r\nall that comes", 5, used) == Status::more);
  CHECK(reader.ends_here());
  CHECK(reader.closes());
}

TEST_CASE("whether the connection stays: HTTP/1.0 and Connection: close end it") {
  const auto closes = [](const std::string& text) {
    HttpReader reader;
    uint32_t used = 0;
    CHECK(read(reader, text, 3, used) == Status::whole);
    return reader.closes();
  };
  CHECK(closes("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"));
  CHECK(closes("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK_FALSE(closes("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"));
}

TEST_CASE("what is no reply is told apart") {
  CHECK(status_of("SSH-2.0-OpenSSH\r\n") == Status::bad);
  CHECK(status_of("HTTP/1.1 x00 OK\r\n\r\n") == Status::bad);
  CHECK(status_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") == Status::bad);
  CHECK(status_of("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'a')) == Status::bad);
}
