// A mirror's packet of records as docs/monitor.md 9 gives it: who reads it with other software has only that table.
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <map>
#include <regex>
#include <string>

#include "native/port/mirror_port.hh"

using namespace qstack;

namespace {

struct Place {
  size_t at;
  size_t bytes;
  bool operator==(const Place&) const = default;
};

#define FIELD(Struct, begin, name) {#name, Place{(begin) + offsetof(Struct, name), sizeof(Struct::name)}}
#define HEAD(name) FIELD(MirrorHead, 0, name)
#define RECORD(name) FIELD(MirrorRecord, sizeof(MirrorHead), name)
const std::map<std::string, Place> kFields{HEAD(destination), HEAD(source),   HEAD(type),    HEAD(version), HEAD(way),
                                           HEAD(records),     HEAD(reserved), HEAD(dropped), HEAD(time),    RECORD(length),
                                           RECORD(kept)};

struct Row {
  Place place;
  std::string what;
};

std::map<std::string, Row> rows_of_page() {
  const std::regex row(R"(\| (\d+) \| (\d+) \| `(\w+)` \| (.+) \|)");
  std::map<std::string, Row> rows;
  std::ifstream page(QSTACK_MONITOR_PAGE);
  for (std::string line; std::getline(page, line);) {
    std::smatch part;
    if (std::regex_match(line, part, row)) rows[part[3]] = {{std::stoul(part[1]), std::stoul(part[2])}, part[4]};
  }
  return rows;
}

}  // namespace

TEST_CASE("docs/monitor.md has every field up to the first record's bytes where it lies, and no other") {
  const auto rows = rows_of_page();
  CHECK(rows.size() == kFields.size());
  size_t bytes = 0;
  for (const auto& field : kFields) {
    const std::string& name = field.first;
    const Place& place = field.second;
    REQUIRE_MESSAGE(rows.count(name) == 1, name);
    CHECK_MESSAGE(rows.at(name).place == place, name);
    bytes += place.bytes;
  }
  CHECK(bytes == sizeof(MirrorHead) + sizeof(MirrorRecord));
  CHECK(rows.at("version").what.starts_with(std::to_string(MirrorHead::kVersion) + ";"));
  CHECK(rows.at("way").what.starts_with("0: received"));
}

TEST_CASE("its type is an EtherType as on the wire, its numbers are little-endian") {
  MirrorHead head{};
  head.type = MirrorHead::kType;
  head.way = MirrorWay::sent;
  head.records = 0x0102;
  head.dropped = 0x01020304;
  head.time = 0x0102030405060708;
  std::array<uint8_t, sizeof(head)> bytes;
  std::memcpy(bytes.data(), &head, sizeof(head));
  CHECK((bytes[12] == 0x88 && bytes[13] == 0xb5));
  CHECK(rows_of_page().at("type").what.starts_with("0x88b5, big-endian"));
  CHECK(bytes[15] == 1);
  CHECK((bytes[16] == 2 && bytes[17] == 1));
  CHECK((bytes[20] == 4 && bytes[23] == 1));
  CHECK((bytes[24] == 8 && bytes[31] == 1));
}
