// A Redis Cluster as its servers describe it: MOVED, ASK, another map, a server that is lost; scripted, under explicit time.
#include "test/native/redis_fixture.hh"

using namespace qstack;
using namespace qstack::redis;
using Status = abi::RedisStatus;

namespace {

const std::string kGetFoo = "*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n";  // slot 12182: of the second of two
const std::string kAskingFoo = std::string(kAsking) + kGetFoo;

ClientConfig cluster_config(uint32_t shards) {
  ClientConfig config = small_config(shards);
  config.cluster = true;
  for (uint32_t i = 0; i < shards; ++i) config.shards[i].address = {"", "127.0.0.1", static_cast<uint16_t>(1 + i)};
  return config;
}

struct Bench {
  explicit Bench(uint32_t shards = 2) : client(made(cluster_config(shards))), asker(*client) {
    get = client->add_template(std::vector<Argument>{{literal("GET")}, {argument(0)}}, 1);
  }

  void ask_get(uint32_t op, const std::string& key) {
    abi::RedisCommand record = Asker::blank(op);
    record.shape = static_cast<uint16_t>(get);
    record.stamp = to_stamp(now);
    asker.ask(record, {key});
    client->take(now);
  }

  void poll(Nanos after = 0) { client->poll(now += after); }

  Outcome expect() {
    auto outcome = asker.next();
    REQUIRE(outcome.has_value());
    return *outcome;
  }

  Nanos now = 1'000 * kMs;
  std::unique_ptr<Client> client;
  Asker asker;
  uint32_t get = 0;
};

std::optional<Redirect> parsed(const std::string& text) { return parse_redirect(bytes_of(text)); }

}  // namespace

TEST_CASE("a redirection names its slot and its server, in either family; anything else is none") {
  const std::string moved = "MOVED 3999 127.0.0.1:6381", ask = "ASK 16383 ::1:6381", own = "MOVED 0 :7000";
  CHECK((!parsed(moved)->ask && parsed(moved)->slot == 3999 && parsed(moved)->port == 6381));
  CHECK(parsed(moved)->host == "127.0.0.1");
  CHECK((parsed(ask)->ask && parsed(ask)->slot == 16383 && parsed(ask)->host == "::1"));
  CHECK((parsed(own)->host.empty() && parsed(own)->port == 7000));
  for (const std::string wrong :
       {"", "MOVED", "MOVED 1", "MOVED 1 host", "MOVED 16384 h:1", "MOVED -1 h:1", "MOVED x h:1", "MOVED 1 h:0",
        "MOVED 1 h:65536", "MOVED 1 h:", "MOVED 1 h:1x", "ERR 1 h:1", "moved 1 h:1", "CLUSTERDOWN Hash slot not served"})
    CHECK(!parsed(wrong));
}

TEST_CASE("MOVED sends the command to the server that it names, and the slot's next ones go there at once") {
  Bench bench;
  FakeServer first(bench.client->shard(0)), second(bench.client->shard(1));
  bench.ask_get(1, "foo");
  bench.poll();
  CHECK(second.heard() == kGetFoo);
  second.say("-MOVED 12182 127.0.0.1:1\r\n");
  bench.poll();
  CHECK(first.heard() == kGetFoo);
  CHECK(!bench.asker.next());
  first.say("$3\r\nbar\r\n");
  bench.poll();
  CHECK(bench.expect().value == "bar");
  bench.ask_get(2, "foo");
  bench.poll();
  CHECK(first.heard() == kGetFoo);
  CHECK(second.heard().empty());
  CHECK(bench.client->shard(1).stats().moved == 1);
  CHECK(bench.client->shard(1).stats().errors == 0);
}

TEST_CASE("ASK sends ASKING and the command, once: the slot stays where it was") {
  Bench bench;
  FakeServer first(bench.client->shard(0)), second(bench.client->shard(1));
  bench.ask_get(1, "foo");
  bench.poll();
  second.say("-ASK 12182 127.0.0.1:1\r\n");
  bench.poll();
  CHECK(first.heard() == kAskingFoo);
  first.say("+OK\r\n$3\r\n");  // cut within the reply
  bench.poll();
  CHECK(!bench.asker.next());
  first.say("bar\r\n");
  bench.poll();
  CHECK(bench.expect().value == "bar");
  CHECK(second.heard() == kGetFoo);
  bench.ask_get(2, "foo");
  bench.poll();
  CHECK(second.heard() == kGetFoo);
  CHECK(bench.client->shard(1).stats().asked == 1);
  second.say("+x\r\n");
  bench.poll();
  CHECK(bench.expect().record.op == 2);
  CHECK(bench.client->idle());
}

TEST_CASE("after ASK, MOVED sends the command without ASKING") {
  Bench bench;
  FakeServer first(bench.client->shard(0)), second(bench.client->shard(1));
  bench.ask_get(1, "foo");
  bench.poll();
  second.heard();
  second.say("-ASK 12182 127.0.0.1:1\r\n");
  bench.poll();
  CHECK(first.heard() == kAskingFoo);
  first.say("+OK\r\n-MOVED 12182 127.0.0.1:2\r\n");
  bench.poll();
  CHECK(second.heard() == kGetFoo);
}

TEST_CASE("after TRYAGAIN and CLUSTERDOWN the command is sent again in a while, to who has the slot then") {
  Bench bench;
  FakeServer first(bench.client->shard(0)), second(bench.client->shard(1));
  bench.ask_get(1, "foo");
  bench.poll();
  CHECK(second.heard() == kGetFoo);
  second.say("-TRYAGAIN Multiple keys request during rehashing of slot\r\n");
  bench.poll();
  CHECK(bench.client->deadline() == bench.now + Client::kRetryAfter);
  bench.poll(Client::kRetryAfter - 1);
  CHECK(second.heard().empty());
  bench.poll(1);
  CHECK(second.heard() == kGetFoo);
  second.say("-CLUSTERDOWN Hash slot not served\r\n");
  bench.poll();
  std::vector<uint16_t> slots(kSlots);
  REQUIRE(bench.client->set_topology(std::vector<Address>{{"", "127.0.0.1", 1}}, slots));
  CHECK(!bench.asker.next());
  bench.poll(Client::kRetryAfter);
  CHECK(second.heard().empty());
  CHECK(first.heard() == kGetFoo);
  first.say("+bar\r\n");
  bench.poll();
  CHECK(bench.expect().status() == Status::ok);
  CHECK(bench.client->shard(1).stats().retried == 2);
  CHECK(bench.client->shard(1).stats().errors == 0);
  CHECK(bench.client->idle());
}

TEST_CASE("a command whose time would be over before the cluster is asked again gets the error, and no later") {
  Bench bench;
  FakeServer first(bench.client->shard(0)), second(bench.client->shard(1));
  bench.ask_get(1, "foo");
  uint32_t tries = 0;
  std::optional<Outcome> outcome;
  const Nanos begin = bench.now;
  for (; !outcome; outcome = bench.asker.next(), ++tries) {
    bench.poll(tries == 0 ? 0 : Client::kRetryAfter);
    REQUIRE(second.heard() == kGetFoo);
    second.say("-CLUSTERDOWN The cluster is down\r\n");
    bench.poll();
  }
  CHECK(tries == 10);
  CHECK(bench.now - begin < 1'000 * kMs);
  CHECK(outcome->status() == Status::error);
  CHECK(outcome->value == "CLUSTERDOWN The cluster is down");
  CHECK(bench.client->shard(1).stats().errors == 1);
  CHECK(bench.client->idle());
}

TEST_CASE("a server that nobody knew is connected to when it is named, and its command times out if it is not there") {
  Bench bench;
  FakeServer first(bench.client->shard(0)), second(bench.client->shard(1));
  bench.ask_get(1, "foo");
  bench.poll();
  second.say("-MOVED 12182 127.0.0.1:9\r\n");
  bench.poll();
  CHECK(bench.client->shards() == 3);
  CHECK(bench.client->shard(2).address().text() == "127.0.0.1:9");
  CHECK(bench.client->shard(2).waiting(0) == 1);
  bench.poll(1'100 * kMs);
  CHECK(bench.expect().status() == Status::timeout);
}

TEST_CASE("a command that is sent round in circles gets the redirection as its error") {
  Bench bench(1);
  FakeServer server(bench.client->shard(0));
  bench.ask_get(1, "foo");
  for (uint32_t i = 0; i <= Client::kRedirectsMax; ++i) {
    CHECK(!bench.asker.next());
    bench.poll();
    CHECK(server.heard() == kGetFoo);
    server.say("-MOVED 12182 :1\r\n");
  }
  bench.poll();
  Outcome outcome = bench.expect();
  CHECK(outcome.status() == Status::error);
  CHECK(outcome.value == "MOVED 12182 :1");
}

TEST_CASE("a host that is no numeric address cannot be followed, and is said") {
  Bench bench;
  FakeServer first(bench.client->shard(0)), second(bench.client->shard(1));
  bench.ask_get(1, "foo");
  bench.poll();
  second.say("-MOVED 12182 redis.example:1\r\n");
  bench.poll();
  CHECK(bench.expect().value == "MOVED 12182 redis.example:1");
}

TEST_CASE("another map takes what waits for a lost server to its successor; what was sent is lost and said") {
  Bench bench;
  FakeServer first(bench.client->shard(0)), second(bench.client->shard(1));
  bench.ask_get(1, "foo");
  bench.poll();
  second.hang_up();
  bench.poll();
  CHECK(bench.expect().status() == Status::lost);
  bench.ask_get(2, "foo");
  bench.ask_get(3, "foo");
  bench.poll(1 * kMs);
  CHECK(!bench.asker.next());
  const std::vector<Address> servers = {{"", "127.0.0.1", 1}, {"", "127.0.0.1", 3}};
  std::vector<uint16_t> slots(kSlots);
  slots[12182] = 1;
  REQUIRE(bench.client->set_topology(servers, slots));
  REQUIRE(bench.client->shards() == 3);
  CHECK(bench.client->shard(1).waiting(0) == 0);
  FakeServer third(bench.client->shard(2));
  bench.poll(1 * kMs);
  CHECK(third.heard() == kGetFoo + kGetFoo);
  third.say("+a\r\n+b\r\n");
  bench.poll();
  CHECK(bench.expect().record.op == 2);
  CHECK(bench.expect().record.op == 3);
  // The lost one has no slot: nobody tries to reach it.
  CHECK(bench.client->shard(1).deadline() == 0);
}

TEST_CASE("a map with wrong addresses or numbers changes nothing") {
  Bench bench;
  const std::vector<Address> named = {{"", "redis.example", 1}}, right = {{"", "127.0.0.1", 1}};
  CHECK(!bench.client->set_topology(named, std::vector<uint16_t>(kSlots, 0)));
  CHECK(!bench.client->set_topology(right, std::vector<uint16_t>(kSlots, 1)));
  CHECK(!bench.client->set_topology(right, std::vector<uint16_t>(7, 0)));
  FakeServer second(bench.client->shard(1));
  bench.ask_get(1, "foo");
  bench.poll();
  CHECK(second.heard() == kGetFoo);
}

TEST_CASE("without a cluster MOVED is an error like others, and so is TRYAGAIN") {
  auto client = made(small_config(2));
  Asker asker(*client);
  FakeServer first(client->shard(0));
  asker.ask(Asker::blank(1), {"*1\r\n$4\r\nPING\r\n"});
  client->poll(kMs);
  first.say("-MOVED 1 127.0.0.1:1\r\n");
  client->poll(2 * kMs);
  CHECK(asker.next()->status() == Status::error);
  asker.ask(Asker::blank(2), {"*1\r\n$4\r\nPING\r\n"});
  client->poll(3 * kMs);
  first.say("-TRYAGAIN x\r\n");
  client->poll(4 * kMs);
  CHECK(asker.next()->status() == Status::error);
}
