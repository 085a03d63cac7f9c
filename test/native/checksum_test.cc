// The Internet checksum of RFC 1071, against its definition.
#include "native/wire/checksum.hh"

#include <doctest/doctest.h>

#include <cstdio>
#include <random>
#include <vector>

using namespace qstack;

namespace {

/// RFC 1071 1: the one's complement of the one's complement sum of 16-bit words, an odd last byte padded with zero.
uint16_t by_definition(const uint8_t* bytes, size_t length, uint64_t sum) {
  for (size_t i = 0; i < length; i += 2) {
    const uint16_t low = i + 1 < length ? bytes[i + 1] : 0;
    sum += bytes[i] | static_cast<uint32_t>(low) << 8;
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

}  // namespace

TEST_CASE("RFC 1071 1: the sum of any bytes at any place is that of the definition") {
  const uint32_t seed = std::random_device{}();
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(2'048);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  bool same = true;
  for (size_t length = 0; length <= 1'700; ++length) {
    const size_t at = random() % 64;
    const uint32_t initial = random();
    same = same && internet_checksum(bytes.data() + at, length, initial) == by_definition(bytes.data() + at, length, initial);
  }
  if (!same) printf("seed %u\n", seed);
  CHECK(same);
}

TEST_CASE("RFC 1071 2: carries of the largest sums are added in") {
  const std::vector<uint8_t> ones(65'535, 0xff);
  for (const size_t length : {64u, 1'460u, 65'472u, 65'535u}) {
    CHECK(internet_checksum(ones.data(), length) == by_definition(ones.data(), length, 0));
  }
}

TEST_CASE("RFC 1071 1: bytes that contain their own checksum sum up to 0") {
  std::vector<uint8_t> bytes(1'480, 0x5a);
  bytes[16] = bytes[17] = 0;
  const uint16_t sum = internet_checksum(bytes.data(), bytes.size());
  std::memcpy(bytes.data() + 16, &sum, 2);
  CHECK(internet_checksum(bytes.data(), bytes.size()) == 0);
}
