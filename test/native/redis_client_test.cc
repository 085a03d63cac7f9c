// The Redis client against a scripted server at the other end of a socket pair, under explicit time.
#include <algorithm>
#include <random>

#include "test/native/redis_fixture.hh"

using namespace qstack;
using namespace qstack::redis;
using Status = abi::RedisStatus;
using Type = abi::RedisType;

namespace {

struct Bench {
  explicit Bench(const ClientConfig& config = small_config()) : client(made(config)), asker(*client) {
    get = client->add_template(std::vector<Argument>{{literal("GET")}, {argument(0)}}, 1);
    set = client->add_template(std::vector<Argument>{{literal("SET")}, {argument(0)}, {argument(1)}}, 1);
  }

  void ask_get(uint32_t op, const std::string& key, uint8_t level = 0, uint16_t waited_ms = 0) {
    abi::RedisCommand record = Asker::blank(op, level);
    record.shape = static_cast<uint16_t>(get);
    record.stamp = to_stamp(now);
    record.waited_ms = waited_ms;
    asker.ask(record, {key});
    client->take(now);
  }

  uint32_t poll(Nanos after = 0) { return client->poll(now += after); }

  Outcome expect() {
    auto outcome = asker.next();
    REQUIRE(outcome.has_value());
    return *outcome;
  }

  Nanos now = 1'000 * kMs;
  std::unique_ptr<Client> client;
  Asker asker;
  uint32_t get = 0, set = 0;
};

std::string command(std::initializer_list<std::string> arguments) {
  std::string bytes = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& one : arguments) bytes += "$" + std::to_string(one.size()) + "\r\n" + one + "\r\n";
  return bytes;
}

std::string bulk(const std::string& value) { return "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n"; }

uint32_t count_of(const std::string& text, const std::string& what) {
  uint32_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++count;
  return count;
}

std::string rendered(const CommandTemplate& shape, const Holes& holes) {
  std::string out(shape.size(holes), '\0');
  shape.write(holes, reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

}  // namespace

TEST_CASE("slots are those of the Redis Cluster specification") {
  CHECK(crc16(bytes_of("123456789")) == 0x31c3);
  CHECK(key_slot(bytes_of("foo")) == 12182);
  CHECK(key_slot(bytes_of("{user1000}.following")) == key_slot(bytes_of("{user1000}.followers")));
  CHECK(key_slot(bytes_of("foo{}{bar}")) == crc16(bytes_of("foo{}{bar}")) % kSlots);
  CHECK(key_slot(bytes_of("foo{{bar}}zap")) == key_slot(bytes_of("{bar")));
  CHECK(key_slot(bytes_of("")) == 0);
  CHECK(key_slot(bytes_of("x{")) == crc16(bytes_of("x{")) % kSlots);
}

TEST_CASE("a template writes the lengths that its holes need") {
  const std::vector<Argument> parts = {
      {literal("SET")}, {literal("s:{"), peer(), literal("}")}, {argument(0)}, {literal("GET")}, {number()}};
  const CommandTemplate shape(parts, 1);
  std::string value("a\r\n\0b", 5);
  Holes holes;
  holes.arguments[0] = bytes_of(value);
  holes.peer_address = 0x0a00ff01;
  holes.peer_port = 65535;
  CHECK(rendered(shape, holes) == command({"SET", "s:{10.0.255.1:65535}", value, "GET", "0"}));
  holes.peer_address = 0xffffffff;
  holes.peer_port = 0;
  holes.number = 4294967295u;
  holes.arguments[0] = {};
  CHECK(rendered(shape, holes) == command({"SET", "s:{255.255.255.255:0}", "", "GET", "4294967295"}));
  CHECK(shape.arguments_needed() == 1);
}

TEST_CASE("a command without holes is ready from the start") {
  const CommandTemplate shape(std::vector<Argument>{{literal("PING")}}, 0);
  CHECK(rendered(shape, {}) == "*1\r\n$4\r\nPING\r\n");
}

TEST_CASE("commands of one turn leave in one write, and replies are matched in order") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  bench.ask_get(7, "a");
  bench.ask_get(8, "bb");
  CHECK(bench.poll() == 0);
  CHECK(server.heard() == command({"GET", "a"}) + command({"GET", "bb"}));
  server.say("$5\r\nhello\r\n$-1\r\n");
  CHECK(bench.poll(64 * 10) == 2);
  Outcome first = bench.expect(), second = bench.expect();
  CHECK(first.record.op == 7);
  CHECK(first.status() == Status::ok);
  CHECK(first.type() == Type::string);
  CHECK(first.value == "hello");
  CHECK(second.record.op == 8);
  CHECK(second.type() == Type::nil);
  CHECK(second.record.place == kNoIndex);
  CHECK(bench.client->idle());
}

TEST_CASE("every type of reply comes through, an array as its items") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  for (uint32_t op = 0; op < 5; ++op) bench.ask_get(op, "k");
  bench.poll();
  server.say("+OK\r\n:-5000000000\r\n-WRONGTYPE no\r\n*3\r\n$3\r\nabc\r\n:7\r\n*1\r\n$-1\r\n*0\r\n");
  bench.poll();
  Outcome status = bench.expect(), integer = bench.expect(), error = bench.expect();
  CHECK(status.type() == Type::status);
  CHECK(status.value == "OK");
  CHECK(integer.type() == Type::integer);
  const uint64_t value = uint64_t{integer.record.value_high} << 32 | integer.record.value_low;
  CHECK(static_cast<int64_t>(value) == -5'000'000'000);
  CHECK(error.status() == Status::error);
  CHECK(error.value == "WRONGTYPE no");
  Outcome array = bench.expect(), empty = bench.expect();
  CHECK(array.type() == Type::array);
  const uint8_t items[] = {1, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c', 0, 3, 0, 0, 0, 8, 0, 0, 0, 7, 0,
                           0, 0, 0, 0, 0, 0, 2, 0, 0,   0,   1,   0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0};
  CHECK(array.value == std::string(reinterpret_cast<const char*>(items), sizeof items));
  CHECK(empty.type() == Type::array);
  CHECK(empty.value.empty());
}

TEST_CASE("replies that arrive cut into any pieces are the same replies") {
  const uint64_t seed =
      std::getenv("QSTACK_SEED") ? std::strtoull(std::getenv("QSTACK_SEED"), nullptr, 0) : std::random_device{}();
  std::mt19937_64 random(seed);
  Bench bench;
  FakeServer server(bench.client->shard(0));
  for (uint32_t round = 0; round < 200; ++round) {
    std::string stream;
    std::vector<std::string> expected;
    for (uint32_t op = 0; op < 20; ++op) {
      bench.ask_get(op, "k");
      expected.emplace_back(random() % 3 == 0 ? random() % 3000 : random() % 12, static_cast<char>('a' + op));
      stream += op % 5 == 4 ? "+" + expected.back() + "\r\n" : bulk(expected.back());
    }
    bench.poll();
    server.heard();
    for (size_t at = 0; at < stream.size();) {
      const size_t n = std::min<size_t>(stream.size() - at, 1 + random() % (random() % 4 == 0 ? 2000 : 7));
      server.say(stream.substr(at, n));
      bench.poll();
      at += n;
    }
    for (uint32_t op = 0; op < 20; ++op) {
      Outcome outcome = bench.expect();
      REQUIRE(outcome.record.op == op);
      REQUIRE(outcome.value == expected[op]);
    }
  }
  bench.poll();
  CHECK(bench.client->places_in_use() == 0);
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
}

TEST_CASE("garbage in place of replies breaks the connection and nothing else") {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (uint32_t round = 0; round < 500; ++round) {
    Bench bench;
    FakeServer server(bench.client->shard(0));
    for (uint32_t op = 0; op < 8; ++op) bench.ask_get(op, "k");
    bench.poll();
    std::string noise = "*2\r\n$3\r\nabc\r\n:12\r\n+OK\r\n$5\r\nhello\r\n-ERR x\r\n$-1\r\n*-1\r\n";
    for (uint32_t n = 1 + random() % 5; n > 0; --n) noise[random() % noise.size()] = "*$:+-\r\n019\xff"[random() % 11];
    server.say(noise);
    for (uint32_t turn = 0; turn < 5; ++turn) bench.poll();
    bench.poll(2'000 * kMs);
    uint32_t outcomes = 0;
    while (bench.asker.next()) ++outcomes;
    REQUIRE(outcomes == 8);
  }
  std::printf("seed %llu (garbage)\n", static_cast<unsigned long long>(seed));
}

TEST_CASE("when the connection breaks, what was sent is lost and what was not sent waits for the next one") {
  Bench bench;
  auto server = std::make_unique<FakeServer>(bench.client->shard(0));
  bench.ask_get(1, "sent");
  bench.poll();
  server->say("$4\r\nha");
  bench.poll();
  server->hang_up();
  bench.ask_get(2, "unsent");
  bench.poll();
  CHECK(bench.expect().status() == Status::lost);
  CHECK(!bench.asker.next());
  CHECK(!bench.client->shard(0).connected());
  FakeServer second(bench.client->shard(0));
  bench.poll();
  CHECK(second.heard() == command({"GET", "unsent"}));
}

TEST_CASE("a command that waits for a server that is away times out at its deadline") {
  Bench bench;
  bench.ask_get(1, "k", 1);
  bench.poll();
  bench.poll(990 * kMs);
  CHECK(!bench.asker.next());
  bench.poll(21 * kMs);
  Outcome outcome = bench.expect();
  CHECK(outcome.status() == Status::timeout);
  CHECK(bench.client->idle());
  CHECK(bench.client->shard(0).stats().timeouts == 1);
}

TEST_CASE("a command that times out in flight keeps its place, and its late reply goes to nobody") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  bench.ask_get(1, "slow");
  bench.poll();
  bench.poll(1'010 * kMs);
  CHECK(bench.expect().status() == Status::timeout);
  bench.ask_get(2, "next");
  bench.poll();
  server.say(bulk("late") + bulk("right"));
  bench.poll();
  Outcome outcome = bench.expect();
  CHECK(outcome.record.op == 2);
  CHECK(outcome.value == "right");
  CHECK(bench.client->shard(0).stats().discarded == 1);
}

TEST_CASE("a server that has not answered for long is given up") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  bench.ask_get(1, "k");
  bench.poll();
  bench.poll(1'010 * kMs);
  bench.poll(5'010 * kMs);
  CHECK(bench.client->shard(0).stats().disconnects == 1);
  CHECK(bench.client->idle() == false);  // the time-out waits to be read
  bench.expect();
  CHECK(bench.client->idle());
}

TEST_CASE("lower levels have a bounded number of commands in flight, the highest has not") {
  ClientConfig config = small_config();
  config.shards[0].inflight_low_max = 64;
  Bench bench(config);
  FakeServer server(bench.client->shard(0));
  for (uint32_t op = 0; op < 300; ++op) bench.ask_get(op, "low", 1);
  for (uint32_t op = 300; op < 500; ++op) bench.ask_get(op, "high", 0);
  bench.poll();
  const std::string heard = server.heard();
  CHECK(count_of(heard, "low") == 64);
  CHECK(count_of(heard, "high") == 200);
  CHECK(heard.find("low") > heard.rfind("high"));
  CHECK(bench.client->shard(0).waiting(1) == 236);
  for (uint32_t i = 0; i < 210; ++i) server.say("+OK\r\n");
  bench.poll();
  CHECK(count_of(server.heard(), "low") == 10);
}

TEST_CASE("what is in flight at a lower level holds no command of a higher one back") {
  ClientConfig config = small_config();
  config.shards[0].inflight_low_max = 64;
  Bench bench(config);
  FakeServer server(bench.client->shard(0));
  for (uint32_t op = 0; op < 100; ++op) bench.ask_get(op, "bulk", 2);
  bench.poll();
  for (uint32_t op = 100; op < 200; ++op) bench.ask_get(op, "normal", 1);
  bench.poll();
  const std::string heard = server.heard();
  CHECK(count_of(heard, "bulk") == 64);
  CHECK(count_of(heard, "normal") == 64);
}

TEST_CASE("weighted: commands that wait for a server share it, those of the highest level are limited too") {
  ClientConfig config = small_config();
  config.levels = 3;
  config.policy.kind = PolicyKind::weighted;
  config.policy.weights = {4, 2, 1};
  config.shards[0].inflight_low_max = 64;
  Bench bench(config);
  FakeServer server(bench.client->shard(0));
  const std::string names[] = {"high", "middle", "low"};
  for (uint32_t op = 0; op < 900; ++op) bench.ask_get(op, names[op % 3], static_cast<uint8_t>(op % 3));
  std::string heard;
  for (uint32_t round = 0; round < 4; ++round) {
    bench.poll();
    heard += server.heard();
    CHECK(bench.client->shard(0).in_flight() == 64);
    for (uint32_t i = 0; i < 64; ++i) server.say("+OK\r\n");
  }
  CHECK(count_of(heard, "high") == doctest::Approx(256.0 * 4 / 7).epsilon(0.1));
  CHECK(count_of(heard, "middle") == doctest::Approx(256.0 * 2 / 7).epsilon(0.1));
  CHECK(count_of(heard, "low") == doctest::Approx(256.0 / 7).epsilon(0.1));
}

TEST_CASE("deadline: the command that is due first goes first, whatever its level") {
  ClientConfig config = small_config();
  config.levels = 2;
  config.policy.kind = PolicyKind::deadline;
  config.policy.budgets = {to_stamp(50 * kMs), to_stamp(5 * kMs)};
  config.shards[0].inflight_low_max = 64;
  Bench bench(config);
  FakeServer server(bench.client->shard(0));
  for (uint32_t op = 0; op < 40; ++op) bench.ask_get(op, "high", 0);
  bench.now += 10 * kMs;
  for (uint32_t op = 40; op < 80; ++op) bench.ask_get(op, "low", 1);
  bench.now += 50 * kMs;
  for (uint32_t op = 80; op < 120; ++op) bench.ask_get(op, "late", 0);
  bench.poll();
  const std::string heard = server.heard();
  CHECK(count_of(heard, "low") == 40);
  CHECK(count_of(heard, "high") == 24);
  CHECK(heard.rfind("low") < heard.find("high"));
  CHECK(count_of(heard, "late") == 0);
}

TEST_CASE("a command waits since its message came, not since it was asked for") {
  ClientConfig config = small_config();
  config.levels = 2;
  config.policy.kind = PolicyKind::deadline;
  config.policy.budgets = {to_stamp(5 * kMs), to_stamp(50 * kMs)};
  for (const uint16_t waited_ms : {0, 60}) {
    Bench bench(config);
    FakeServer server(bench.client->shard(0));
    bench.ask_get(0, "high", 0);
    bench.ask_get(1, "low", 1, waited_ms);
    bench.poll();
    const std::string heard = server.heard();
    CHECK((heard.find("low") < heard.find("high")) == (waited_ms == 60));
  }
}

TEST_CASE("another policy takes over with the next poll: what is in flight stays, and each kind has its own limits") {
  ClientConfig config = small_config();
  config.levels = 2;
  config.shards[0].inflight_low_max = 64;
  Bench bench(config);
  const Shard& shard = bench.client->shard(0);
  FakeServer server(bench.client->shard(0));
  for (uint32_t op = 0; op < 100; ++op) bench.ask_get(op, "high", 0);
  for (uint32_t op = 100; op < 300; ++op) bench.ask_get(op, "low", 1);
  bench.poll();
  CHECK(shard.in_flight() == 164);
  PolicyConfig deadline;
  deadline.kind = PolicyKind::deadline;
  deadline.budgets = {to_stamp(50 * kMs), to_stamp(5 * kMs)};
  bench.client->schedule(deadline);
  for (uint32_t op = 300; op < 400; ++op) bench.ask_get(op, "late", 0);
  server.heard();
  for (int i = 0; i < 110; ++i) server.say("+OK\r\n");
  bench.poll();
  CHECK(shard.in_flight() == 64);
  std::string heard = server.heard();
  CHECK(count_of(heard, "low") == 10);
  CHECK(count_of(heard, "late") == 0);
  bench.client->schedule({});
  bench.poll();
  heard = server.heard();
  CHECK(count_of(heard, "late") == 100);
  CHECK(count_of(heard, "low") == 0);
  CHECK(shard.in_flight() == 164);
}

TEST_CASE("strict: a level that waits while a higher one fills the socket gets a quantum once per starvation bound") {
  ClientConfig config = small_config();
  config.policy.bound = to_stamp(20 * kMs);
  config.shards[0].unsent_max = 2'048;
  config.shards[0].unsent_low_max = 1;
  Bench bench(config);
  const Shard& shard = bench.client->shard(0);
  FakeServer server(bench.client->shard(0), 4'096);
  const auto fill = [&] {  // the socket takes no more, and level 0 has more than it will take
    while (shard.waiting(0) < 400) bench.ask_get(0, "high", 0), bench.poll();
  };
  fill();
  for (uint32_t op = 0; op < 40; ++op) bench.ask_get(op, "low", 1);
  for (const uint32_t left : {40u, 24u, 24u, 8u, 8u}) {
    for (uint32_t i = count_of(server.heard(), "GET"); i > 0; --i) server.say("+OK\r\n");
    bench.poll(15 * kMs);
    CHECK(shard.waiting(1) == left);
    while (bench.asker.next()) {
    }
    REQUIRE(shard.waiting(0) > 0);
    fill();
  }
}

TEST_CASE("a server that ran dry while commands waited gets more of them at once, one that did not gets fewer again") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  const Shard& shard = bench.client->shard(0);
  const uint32_t first = shard.inflight_low_limit();
  uint32_t op = 0;
  const auto answer = [&](uint32_t replies) {
    for (uint32_t i = 0; i < replies; ++i) server.say("+OK\r\n");
    bench.poll(kMs);
    for (uint32_t i = 0; i < replies; ++i) bench.expect();
    server.heard();
  };
  while (op < 6 * first) bench.ask_get(op++, "low", 1);
  bench.poll();
  REQUIRE(shard.in_flight() == first);
  answer(first);
  CHECK(shard.inflight_low_limit() == 2 * first);
  REQUIRE(shard.in_flight() == 2 * first);
  for (uint32_t look = 0; look < 2; ++look) {  // half of it is never answered when we look
    answer(first);
    while (shard.waiting(1) < 4 * first) bench.ask_get(op++, "low", 1), bench.client->take(bench.now);
    bench.now += QueueLimit::kHold;
  }
  CHECK(shard.inflight_low_limit() == first);
}

TEST_CASE("a high command passes low ones that wait for a socket that is full") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  const std::string value(60'000, 'x');
  for (uint32_t op = 0; op < 30; ++op) {
    abi::RedisCommand record = Asker::blank(op, 1);
    record.shape = static_cast<uint16_t>(bench.set);
    record.stamp = to_stamp(bench.now);
    bench.asker.ask(record, {"low", value});
    bench.client->take(bench.now);
  }
  bench.poll();
  bench.ask_get(99, "urgent");
  std::string heard;
  for (uint32_t i = 0; i < 100; ++i) {
    heard += server.heard();
    bench.poll();
  }
  const size_t urgent = heard.find("urgent");
  REQUIRE(urgent != std::string::npos);
  CHECK(count_of(heard.substr(urgent), "$3\r\nlow\r\n") > 0);
}

TEST_CASE("bytes of commands survive partial writes") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  std::string expected, heard;
  for (uint32_t op = 0; op < 6; ++op) {
    const std::string value(400'000 - op, static_cast<char>('a' + op));
    abi::RedisCommand record = Asker::blank(op);
    record.shape = static_cast<uint16_t>(bench.set);
    bench.asker.ask(record, {"k", value});
    bench.client->take(bench.now);
    expected += command({"SET", "k", value});
    for (uint32_t i = 0; i < 40; ++i) {
      bench.poll();
      heard += server.heard();
    }
    server.say("+OK\r\n");
    bench.poll();
    CHECK(bench.expect().status() == Status::ok);
  }
  CHECK(heard == expected);
}

TEST_CASE("a reply of 512 KiB gets through, a longer one is said to be too big, and the next one is read") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  for (uint32_t op = 0; op < 3; ++op) bench.ask_get(op, "k");
  bench.poll();
  const std::string stream = bulk(std::string(kPlaceMax, 'f')) + bulk(std::string(kPlaceMax + 1, 'g')) + bulk("end");
  for (size_t at = 0; at < stream.size(); at += 100'000) {
    server.say(stream.substr(at, 100'000));
    bench.poll();
  }
  CHECK(bench.expect().value == std::string(kPlaceMax, 'f'));
  CHECK(bench.expect().status() == Status::too_big);
  CHECK(bench.expect().value == "end");
  CHECK(bench.client->shard(0).stats().too_big == 1);
}

TEST_CASE("when every place of a reply is taken the client reads on as soon as one comes back") {
  ClientConfig config = small_config();
  config.reply_places = {2, 0, 0, 0};
  Bench bench(config);
  FakeServer server(bench.client->shard(0));
  for (uint32_t op = 0; op < 4; ++op) bench.ask_get(op, "k");
  bench.poll();
  server.say(bulk("a") + bulk("b") + bulk("c") + bulk("d"));
  CHECK(bench.poll() == 2);
  auto first = bench.asker.next(true), second = bench.asker.next(true);
  CHECK(bench.poll() == 0);
  CHECK(bench.client->shard(0).stalled());
  CHECK(!bench.client->busy());
  bench.asker.give_back(second->record.place);
  bench.asker.give_back(second->record.place);  // twice: the second changes nothing
  CHECK(bench.poll() == 1);
  CHECK(bench.expect().value == "c");
  bench.poll();
  CHECK(bench.expect().value == "d");
  CHECK(bench.client->places_in_use() >= 1);
}

TEST_CASE("a record that points outside of its areas is refused, and the next one is carried out") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  auto broken = [&](auto&& change) {
    abi::RedisCommand record = Asker::blank(5);
    record.shape = static_cast<uint16_t>(bench.get);
    record.arguments = 1;
    record.scratch = 1;
    record.length_0 = 3;
    change(record);
    bench.asker.push(record);
    bench.poll();
    return bench.expect().status() == Status::refused;
  };
  CHECK(broken([&](abi::RedisCommand& r) { r.offset_0 = bench.client->layout().scratch_bytes - 2; }));
  CHECK(broken([](abi::RedisCommand& r) { r.offset_0 = 0xffffffff; }));
  CHECK(broken([](abi::RedisCommand& r) { r.length_0 = 0xffffffff; }));
  CHECK(broken([](abi::RedisCommand& r) { r.length_0 = kPlaceMax; }));
  CHECK(broken([](abi::RedisCommand& r) { r.scratch = 0; }));  // there is no arena
  CHECK(broken([](abi::RedisCommand& r) { r.arguments = 5; }));
  CHECK(broken([](abi::RedisCommand& r) { r.arguments = 0; }));
  CHECK(broken([](abi::RedisCommand& r) { r.level = 8; }));
  CHECK(broken([](abi::RedisCommand& r) { r.shape = 77; }));
  CHECK(broken([](abi::RedisCommand& r) { r.shard = 1; }));
  CHECK(bench.client->refused() == 10);
  bench.ask_get(1, "k");
  bench.poll();
  CHECK(server.heard() == command({"GET", "k"}));
}

TEST_CASE("keys are routed by their slot, and a slot map may say otherwise") {
  Bench bench(small_config(2));
  FakeServer first(bench.client->shard(0)), second(bench.client->shard(1));
  bench.ask_get(1, "foo");  // slot 12182
  bench.ask_get(2, "k{}");
  abi::RedisCommand raw = Asker::blank(3);
  bench.asker.ask(raw, {command({"PING"})});
  bench.poll();
  CHECK(second.heard().find("foo") != std::string::npos);
  CHECK(first.heard().find("PING") != std::string::npos);
  CHECK(bench.client->set_slots(std::vector<uint16_t>(kSlots, 0)));
  CHECK(!bench.client->set_slots(std::vector<uint16_t>(kSlots, 2)));
  bench.ask_get(4, "foo");
  bench.poll();
  CHECK(first.heard().find("foo") != std::string::npos);
}

TEST_CASE("commands that do not fit wait in the ring until completions are taken") {
  ClientConfig config = small_config();
  config.commands = 8;
  Bench bench(config);
  FakeServer server(bench.client->shard(0));
  auto ask_eight = [&](uint32_t from) {
    for (uint32_t op = from; op < from + 8; ++op) bench.ask_get(op, "k");
    bench.poll();
  };
  auto answer_eight = [&] {
    for (uint32_t i = 0; i < 8; ++i) server.say("+OK\r\n");
    return bench.poll();
  };
  ask_eight(0);
  ask_eight(8);
  CHECK(count_of(server.heard(), "GET") == 8);
  CHECK(answer_eight() == 8);
  bench.poll();
  CHECK(count_of(server.heard(), "GET") == 8);
  CHECK(answer_eight() == 16);
  ask_eight(16);
  CHECK(server.heard() == "");
  for (uint32_t op = 0; op < 8; ++op) CHECK(bench.expect().record.op == op);
  bench.poll();
  CHECK(count_of(server.heard(), "GET") == 8);
}

TEST_CASE("an unasked reply breaks the connection: from then on nothing could be matched") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  bench.ask_get(1, "k");
  bench.poll();
  server.say("+OK\r\n+EXTRA\r\n");
  bench.poll();
  CHECK(bench.expect().status() == Status::ok);
  CHECK(!bench.client->shard(0).connected());
}

TEST_CASE("a connection that the server closes is noticed without any command") {
  Bench bench;
  FakeServer server(bench.client->shard(0));
  bench.poll();
  server.hang_up();
  bench.poll(2 * kMs);
  CHECK(!bench.client->shard(0).connected());
  CHECK(bench.client->shard(0).stats().disconnects == 1);
}

TEST_CASE("attempts to connect come at growing intervals from 50 ms to 1 s") {
  Bench bench;
  std::vector<Nanos> waits;
  bench.poll();
  for (uint32_t i = 0; i < 7; ++i) {
    waits.push_back((bench.client->deadline() - bench.now) / kMs);
    bench.now = bench.client->deadline();
    bench.poll();
  }
  CHECK(waits == std::vector<Nanos>{50, 100, 200, 400, 800, 1000, 1000});
}

TEST_CASE("wrong addresses are refused by a sentence") {
  auto fault = [](const ShardConfig& shard) {
    ClientConfig config = small_config();
    config.shards = {shard};
    auto result = Client::create(config, {});
    return std::holds_alternative<std::string>(result) ? std::get<std::string>(result) : "";
  };
  ShardConfig named, longest;
  named.address.host = "localhost";
  longest.address.path = std::string(200, 'x');
  CHECK(fault(named) == "\"localhost\" is no numeric address");
  CHECK(fault(longest).find("too long") != std::string::npos);
  ClientConfig none = small_config();
  none.shards.clear();
  CHECK(std::holds_alternative<std::string>(Client::create(none, {})));
}
