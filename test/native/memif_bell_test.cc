// MemifBell: what a client has to tell, whom it then asks to wake us, and what it leaves alone.
#include "native/port/memif_bell.hh"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <utility>
#include <vector>

using namespace qstack;

namespace {

constexpr uint32_t kRegionBytes = 64 * 1024, kRingAt = 8'192 + 128, kCookie = 0x3E31F20;
constexpr uint16_t kMasked = 1;

template <typename T>
void put(std::vector<uint8_t>& message, size_t at, T value) {
  std::memcpy(message.data() + at, &value, sizeof(value));
}

/// A client of memif: its memory with one ring, masked as a server does it, and the eventfd of that ring.
struct Client {
  Descriptor memory{memfd_create("memif", MFD_ALLOW_SEALING)};
  Descriptor event{eventfd(0, EFD_NONBLOCK)};
  uint8_t* bytes = nullptr;

  explicit Client(bool sealed = true, uint32_t cookie = kCookie) {
    REQUIRE(ftruncate(memory.get(), kRegionBytes) == 0);
    if (sealed) REQUIRE(fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    bytes = static_cast<uint8_t*>(mmap(nullptr, kRegionBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0));
    REQUIRE(bytes != MAP_FAILED);
    std::memcpy(bytes + kRingAt, &cookie, sizeof(cookie));
    std::memcpy(bytes + kRingAt + 4, &kMasked, sizeof(kMasked));
  }
  ~Client() { munmap(bytes, kRegionBytes); }

  uint16_t flags() const {
    uint16_t value;
    std::memcpy(&value, bytes + kRingAt + 4, sizeof(value));
    return value;
  }
  void send() const {
    if ((flags() & kMasked) == 0) eventfd_write(event.get(), 1);
  }
  MemifRing ring(uint32_t at = kRingAt) const { return ring(at, event); }
  MemifRing ring(uint32_t at, const Descriptor& by) const {
    std::vector<uint8_t> region(128), ring(128);
    put<uint16_t>(region, 0, 4);
    put<uint64_t>(region, 4, kRegionBytes);
    put<uint16_t>(ring, 0, 5);
    put<uint16_t>(ring, 2, 1);
    put<uint32_t>(ring, 8, at);
    MemifRing told;
    told.hear(region, memory.get());
    told.hear(ring, by.get());
    return told;
  }
};

bool rings(const MemifBell& bell) {
  pollfd wanted{bell.fd(), POLLIN, 0};
  return poll(&wanted, 1, 0) > 0;
}

}  // namespace

TEST_CASE("a client is asked for wake-ups while the bell is armed, and each time anew") {
  const Client client;
  MemifBell bell;
  bell.connect(client.ring());
  for (int i = 0; i < 3; ++i) {
    client.send();
    CHECK_FALSE(rings(bell));
    bell.arm();
    CHECK(client.flags() == 0);
    CHECK_FALSE(rings(bell));
    client.send();
    CHECK(rings(bell));
    bell.disarm();
    CHECK(client.flags() == kMasked);
    CHECK_FALSE(rings(bell));
  }
}

TEST_CASE("who connects while the bell is armed is asked at once, and who has left rings no more") {
  const Client first, second;
  MemifBell bell;
  bell.arm();
  bell.connect(first.ring());
  CHECK(first.flags() == 0);
  first.send();
  CHECK(rings(bell));
  bell.connect(second.ring());
  CHECK(second.flags() == 0);
  CHECK_FALSE(rings(bell));
  first.send();
  CHECK_FALSE(rings(bell));
  second.send();
  CHECK(rings(bell));
  bell.disconnect();
  bell.disarm();
  second.send();
  CHECK_FALSE(rings(bell));
  CHECK(second.flags() == 0);
}

TEST_CASE("memory that could shrink, that is too small or has no ring at that place is left alone") {
  const Client shrinks(false), other(true, kCookie + 1), client;
  MemifBell bell;
  const auto connect = [&](MemifRing ring) {
    bell.connect(std::move(ring));
    bell.arm();
    for (const Client* const each : {&shrinks, &other, &client}) CHECK(each->flags() == kMasked);
    bell.disarm();
  };
  connect(shrinks.ring());
  connect(other.ring());
  for (const uint32_t at : {kRegionBytes, UINT32_MAX, UINT32_MAX - 7, kRingAt + 2}) connect(client.ring(at));
  connect(client.ring(kRingAt, client.memory));  // nobody can wait for a file
  connect(MemifRing());
}

TEST_CASE("rings of the other way, further ones and short messages tell nothing") {
  const Client client;
  std::vector<uint8_t> message(128);
  MemifRing told;
  put<uint16_t>(message, 0, 4);
  told.hear(message, client.memory.get());
  put<uint16_t>(message, 0, 5);
  put<uint32_t>(message, 8, kRingAt);
  told.hear(message, client.event.get());  // the server sends on it
  put<uint16_t>(message, 2, 1);
  put<uint16_t>(message, 4, 1);
  told.hear(message, client.event.get());  // the second one
  put<uint16_t>(message, 4, 0);
  told.hear(message, -1);
  told.hear(std::span(message).first(1), client.event.get());
  told.hear({}, client.event.get());
  MemifBell bell;
  bell.connect(std::move(told));
  bell.arm();
  CHECK(client.flags() == kMasked);
}
