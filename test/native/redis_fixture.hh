// What the tests of the Redis client share: the JavaScript side of its rings, and a server that does what it is told.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>

#include "native/redis/client.hh"

namespace qstack::redis {

inline constexpr Nanos kMs = 1'000'000;

inline Part literal(std::string bytes) { return {Part::Kind::literal, 0, std::move(bytes)}; }
inline Part argument(uint8_t k) { return {Part::Kind::argument, k, {}}; }
inline Part peer() { return {Part::Kind::peer, 0, {}}; }
inline Part number() { return {Part::Kind::number, 0, {}}; }

inline std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

struct Outcome {
  abi::RedisCompletion record;
  std::string value;
  abi::RedisStatus status() const { return static_cast<abi::RedisStatus>(record.status); }
  abi::RedisType type() const { return static_cast<abi::RedisType>(record.type); }
};

/// The side that writes commands and reads completions.
class Asker {
 public:
  explicit Asker(Client& client)
      : client_(client),
        commands_(client.layout().ring<abi::RedisCommand>(client.block(), BlockLayout::kCommandHeader,
                                                          client.layout().commands_at,
                                                          client.layout().command_capacity)),
        completions_(client.layout().ring<abi::RedisCompletion>(client.block(), BlockLayout::kCompletionHeader,
                                                                client.layout().completions_at,
                                                                client.layout().completion_capacity)),
        releases_(client.layout().ring<uint32_t>(client.block(), BlockLayout::kReleaseHeader,
                                                 client.layout().releases_at, client.layout().release_capacity)) {}

  static abi::RedisCommand blank(uint32_t op, uint8_t level = 0) {
    abi::RedisCommand record{};
    record.op = op;
    record.level = level;
    record.shard = abi::kRedisByKey;
    record.timeout_ms = 1000;
    return record;
  }

  /// Arguments go to the scratch area, from its start on.
  void ask(const abi::RedisCommand& given, std::initializer_list<std::string> arguments = {}) {
    abi::RedisCommand record = given;
    uint32_t words[8] = {}, at = 0, k = 0;
    for (const std::string& text : arguments) {
      std::memcpy(client_.block() + client_.layout().scratch_at + at, text.data(), text.size());
      words[2 * k] = at;
      words[2 * k++ + 1] = static_cast<uint32_t>(text.size());
      at += static_cast<uint32_t>(text.size());
    }
    record.arguments = static_cast<uint8_t>(k);
    record.scratch = 0xf;
    std::memcpy(reinterpret_cast<uint8_t*>(&record) + offsetof(abi::RedisCommand, offset_0), words, sizeof words);
    push(record);
  }

  void push(const abi::RedisCommand& record) {
    REQUIRE(commands_.push(record));
    commands_.publish();
  }

  std::optional<Outcome> next(bool keep = false) {
    completions_.refresh();
    Outcome outcome;
    if (!completions_.take(outcome.record)) return std::nullopt;
    completions_.publish();
    if (outcome.record.length != 0)
      outcome.value.assign(reinterpret_cast<const char*>(client_.block() + outcome.record.offset),
                           outcome.record.length);
    if (!keep) give_back(outcome.record.place);
    return outcome;
  }

  void give_back(uint32_t place) {
    if (place == kNoIndex) return;
    REQUIRE(releases_.push(place));
    releases_.publish();
  }

 private:
  Client& client_;
  RingProducer<abi::RedisCommand> commands_;
  RingConsumer<abi::RedisCompletion> completions_;
  RingProducer<uint32_t> releases_;
};

inline std::unique_ptr<Client> made(const ClientConfig& config, std::span<const uint8_t> arena = {}) {
  auto result = Client::create(config, arena);
  if (auto* fault = std::get_if<std::string>(&result)) FAIL(*fault);
  return std::move(std::get<std::unique_ptr<Client>>(result));
}

inline ClientConfig small_config(uint32_t shards = 1) {
  ClientConfig config;
  config.shards.resize(shards);
  for (ShardConfig& shard : config.shards) shard.address.path = "/nonexistent/redis.sock";
  config.commands = 1024;
  config.command_places = {1024, 32, 4, 2};
  config.reply_places = {1024, 32, 4, 2};
  return config;
}

/// The other end of a shard's connection.
class FakeServer {
 public:
  /// `buffer`: bytes that wait in the socket, about; 0: as many as the system likes.
  explicit FakeServer(Shard& shard, int buffer = 0) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    if (buffer != 0) REQUIRE(::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) == 0);
    shard.connection().adopt(ends[0]);
    fd_ = ends[1];
  }
  ~FakeServer() { hang_up(); }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  void hang_up() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  void say(const std::string& bytes) {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }

  /// All that has arrived.
  std::string heard() {
    std::string all;
    char buffer[65536];
    for (ssize_t n; (n = ::recv(fd_, buffer, sizeof buffer, 0)) > 0;) all.append(buffer, static_cast<size_t>(n));
    return all;
  }

 private:
  int fd_ = -1;
};

}  // namespace qstack::redis
