// The Redis client against real redis-server processes on unix sockets in a folder of this test.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include <filesystem>

#include "test/native/redis_fixture.hh"

using namespace qstack;
using namespace qstack::redis;
using Status = abi::RedisStatus;
using Type = abi::RedisType;

namespace {

Nanos clock_now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<Nanos>(time.tv_sec) * 1'000'000'000 + static_cast<Nanos>(time.tv_nsec);
}

void nap() {
  timespec time{.tv_sec = 0, .tv_nsec = 100'000};
  ::nanosleep(&time, nullptr);
}

/// One redis-server; it ends with this object, and is known by its pid alone.
class Server {
 public:
  explicit Server(const std::string& folder) : socket_(folder + "/redis.sock") { start(folder); }
  ~Server() { kill(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& socket() const { return socket_; }

  void start(const std::string& folder) {
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it does not outlive a test that crashes
    ::execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_.c_str(), "--save", "",
             "--appendonly", "no", "--dir", folder.c_str(), "--logfile", "/dev/null", nullptr);
    ::_exit(127);
  }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  std::string socket_;
  pid_t pid_ = -1;
};

struct Folder {
  Folder() {
    char name[] = "/tmp/qstack-redis-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

struct Bench {
  explicit Bench(const std::vector<std::string>& sockets) {
    ClientConfig config = small_config(static_cast<uint32_t>(sockets.size()));
    for (size_t i = 0; i < sockets.size(); ++i) config.shards[i].address.path = sockets[i];
    client = made(config);
    asker = std::make_unique<Asker>(*client);
    set = client->add_template(std::vector<Argument>{{literal("SET")}, {argument(0)}, {argument(1)}, {literal("GET")}},
                               1);
    get = client->add_template(std::vector<Argument>{{literal("GET")}, {argument(0)}}, 1);
  }

  void ask(uint32_t shape, uint32_t op, std::initializer_list<std::string> arguments, uint32_t timeout_ms = 5'000) {
    abi::RedisCommand record = Asker::blank(op, op % 2);
    record.shape = static_cast<uint16_t>(shape);
    record.timeout_ms = timeout_ms;
    record.stamp = to_stamp(clock_now());
    asker->ask(record, arguments);
    client->take(clock_now());
  }

  bool wait_connected() {
    const Nanos end = clock_now() + 10'000 * kMs;
    while (clock_now() < end) {
      client->poll(clock_now());
      bool all = true;
      for (uint32_t i = 0; i < client->shards(); ++i) all = all && client->shard(i).connected();
      if (all) return true;
      nap();
    }
    return false;
  }

  std::optional<Outcome> wait() {
    const Nanos end = clock_now() + 10'000 * kMs;
    while (clock_now() < end) {
      if (client->poll(clock_now()) != 0) return asker->next();
      nap();
    }
    return std::nullopt;
  }

  std::unique_ptr<Client> client;
  std::unique_ptr<Asker> asker;
  uint32_t get = 0, set = 0;
};

}  // namespace

TEST_CASE("a value set in Redis comes back, with its old value and as bytes of any kind") {
  Folder folder;
  Server server(folder.path);
  Bench bench({server.socket()});
  REQUIRE(bench.wait_connected());
  const std::string value("\0\r\n$5\r\n\xff", 8);
  bench.ask(bench.set, 0, {"key", "old"});
  CHECK(bench.wait()->type() == Type::nil);
  bench.ask(bench.set, 0, {"key", value});
  CHECK(bench.wait()->value == "old");
  bench.ask(bench.get, 2, {"key"});
  Outcome outcome = *bench.wait();
  CHECK(outcome.value == value);
  CHECK(outcome.record.elapsed < 10'000 * kMs / 64);
}

TEST_CASE("10,000 commands over two servers all come back with their own value") {
  Folder first, second;
  Server a(first.path), b(second.path);
  Bench bench({a.socket(), b.socket()});
  REQUIRE(bench.wait_connected());
  uint32_t asked = 0, right = 0;
  std::vector<uint8_t> answered(10'000);
  for (uint32_t done = 0; done < 10'000;) {
    for (; asked < 10'000 && asked - done < 500; ++asked)
      bench.ask(asked % 4 < 2 ? bench.set : bench.get, asked,
                {"key:" + std::to_string(asked / 4), std::to_string(asked / 4)});
    auto outcome = bench.wait();
    REQUIRE(outcome.has_value());
    REQUIRE(answered[outcome->record.op]++ == 0);
    const std::string own = std::to_string(outcome->record.op / 4);
    right += outcome->status() == Status::ok && (outcome->value == own || outcome->type() == Type::nil) ? 1 : 0;
    ++done;
  }
  CHECK(right == 10'000);
  CHECK(bench.client->shard(0).stats().replied + bench.client->shard(1).stats().replied == 10'000);
  CHECK(bench.client->shard(0).stats().replied > 3'000);
  CHECK(bench.client->shard(1).stats().replied > 3'000);
  CHECK(bench.client->idle());
}

TEST_CASE("a server that is killed and started again is used again, and what was lost is said") {
  Folder folder;
  Server server(folder.path);
  Bench bench({server.socket()});
  REQUIRE(bench.wait_connected());
  bench.ask(bench.get, 1, {"key"});
  bench.client->poll(clock_now());
  server.kill();
  auto first = bench.wait();
  REQUIRE(first.has_value());
  CHECK((first->status() == Status::lost || first->status() == Status::ok));
  for (Nanos end = clock_now() + 2'000 * kMs; bench.client->shard(0).connected() && clock_now() < end; nap())
    bench.client->poll(clock_now());
  CHECK(!bench.client->shard(0).connected());
  bench.ask(bench.get, 2, {"key"}, 100);
  CHECK(bench.wait()->status() == Status::timeout);
  server.start(folder.path);
  bench.ask(bench.get, 3, {"key"});
  auto after = bench.wait();
  REQUIRE(after.has_value());
  CHECK(after->status() == Status::ok);
  CHECK(bench.client->shard(0).stats().connects == 2);
}
