// qstack_bench: the native ends of the benchmarks, one process each (tools/bench starts them).
//
// In: a command and `name=value` words. Out: the line "ready" when it can be reached, one line of JSON at its end.
// Exit 0 ok, 1 it failed, 2 usage.
#include <signal.h>
#include <time.h>

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>

#include "native/bench/bulk_sink.hh"
#include "native/bench/bulk_source.hh"
#include "native/bench/connect_client.hh"
#include "native/bench/echo_client.hh"
#include "native/bench/echo_server.hh"
#include "native/bench/frames.hh"
#include "native/bench/line_end.hh"
#include "native/bench/micro.hh"
#include "native/bench/mirror_drain.hh"
#include "native/bench/packet_costs.hh"
#include "native/port/eal.hh"
#include "native/stack/stack_thread.hh"

namespace qstack::bench {

namespace {

constexpr uint16_t kPort = 5201;
constexpr Nanos kMilli = 1'000'000;

void say_ready() {
  puts("ready");
  fflush(stdout);
}

/// Set by the program that is done, or by SIGTERM.
std::atomic<bool> done = false;

/// Takes turns in a thread of their own until the program is done or is told to end. Frames of `port` end its naps, as a server's.
HiccupProbe::Summary drive(const StackThread::Turn& turn, const std::function<bool()>& finished, Arguments& arguments,
                           Port* port = nullptr, const std::function<Nanos(Nanos)>& deadline = {}) {
  Doorbell bell;
  StackThreadConfig config{.name = "bench",
                           .port = port,
                           .bell = &bell,
                           .deadline = deadline,
                           .on_start = eal_enter_thread,
                           .on_stop = eal_leave_thread};
  if (arguments.has("core")) config.core = static_cast<int>(arguments.number("core", 0));
  if (arguments.text("poll", "yield") == "busy") config.poll = PollMode::busy;
  arguments.check_all_read();
  signal(SIGTERM, [](int) { done.store(true, std::memory_order_relaxed); });
  const auto watched = [&](Nanos now) {
    const uint32_t work = turn(now);
    if (finished()) done.store(true, std::memory_order_relaxed);
    return work;
  };
  StackThread thread(watched, config);
  say_ready();
  const timespec pause{0, 5'000'000};
  while (!done.load(std::memory_order_relaxed)) nanosleep(&pause, nullptr);
  const HiccupProbe::Summary hiccups = thread.hiccups(false);
  thread.stop();
  return hiccups;
}

/// A program on a stack: the stack's turn, and the program's step between two turns.
template <typename Program>
HiccupProbe::Summary drive(Stack& stack, Program& program, Arguments& arguments, Port* port = nullptr) {
  const auto turn = [&](Nanos now) { return stack.turn(now) + program.step(now); };
  return drive(turn, [&] { return program.done(); }, arguments, port, [&](Nanos now) { return stack.next_deadline(now); });
}

void print_window(const Window& window) {
  printf("\"amount\":%" PRIu64 ",\"nanoseconds\":%" PRIu64 ",\"busy_s\":%.2f", window.amount(), window.elapsed(),
         window.busy_seconds());
}

/// The last members of a report: what the thread and the stack say about themselves.
void print_rest(const HiccupProbe::Summary& hiccups, const Counters& counters) {
  printf(",\"hiccup_p99_us\":%.1f", static_cast<double>(hiccups.p99) / 1e3);
  for (size_t i = 0; i < kCounters; ++i) {
    if (counters.values[i] == 0) continue;
    printf(",\"%.*s\":%" PRIu64, static_cast<int>(kCounterNames[i].size()), kCounterNames[i].data(), counters.values[i]);
  }
  puts("}");
}

/// Two members, their names behind `of`.
void print_times(const char* of, const mcc::Histogram& times) {
  printf(",\"%sp50_us\":%.2f,\"%sp99_us\":%.2f", of, static_cast<double>(times.quantile(0.5)) / 1e3, of,
         static_cast<double>(times.quantile(0.99)) / 1e3);
}

/// The report of a client that measures its answers.
template <typename Client>
void print_answers(const Client& client, const HiccupProbe::Summary& hiccups, const Counters& counters) {
  putchar('{');
  print_window(client.window());
  print_times("", client.latencies());
  if (client.opens().count() > 0) print_times("open_", client.opens());
  printf(",\"lost\":%u", client.lost());
  print_rest(hiccups, counters);
}

void bulk_sink(Arguments& arguments) {
  const BulkSinkConfig config{.port = kPort,
                              .copies = arguments.number("copies", 1) != 0,
                              .warm_up = arguments.number("warm_up_ms", 300) * kMilli,
                              .window = arguments.number("window_ms", 2'000) * kMilli};
  LineEnd line(arguments);
  BulkSink sink(config);
  Stack stack(line.config(), line.port(), line.rx(), line.tx(), sink);
  sink.attach(stack);
  const HiccupProbe::Summary hiccups = drive(stack, sink, arguments);
  putchar('{');
  print_window(sink.window());
  print_rest(hiccups, stack.counters());
}

void bulk_source(Arguments& arguments) {
  BulkSourceConfig config{};
  config.remote = {arguments.address("to"), kPort};
  config.write_size = static_cast<uint32_t>(arguments.number("write_size", config.write_size));
  config.delay = arguments.number("delay_ms", 0) * kMilli;
  config.duration = arguments.number("duration_ms", 2'500) * kMilli;
  LineEnd line(arguments);
  config.local = {line.config().ip.address, 0};
  config.send_buffer = line.config().tcp.send_buffer;
  BulkSource source(config, line.tx());
  Stack stack(line.config(), line.port(), line.rx(), line.tx(), source);
  source.attach(stack);
  const HiccupProbe::Summary hiccups = drive(stack, source, arguments);
  printf("{\"amount\":%" PRIu64, source.bytes());
  print_rest(hiccups, stack.counters());
}

void echo_server(Arguments& arguments) {
  LineEnd line(arguments);
  EchoServer server(kPort, line.tx());
  Stack stack(line.config(), line.port(), line.rx(), line.tx(), server);
  server.attach(stack);
  const HiccupProbe::Summary hiccups = drive(stack, server, arguments, &line.port());
  printf("{\"amount\":0");
  print_rest(hiccups, stack.counters());
}

void echo_client(Arguments& arguments) {
  EchoClientConfig config;
  config.warm_up = arguments.number("warm_up_ms", 300) * kMilli;
  config.window = arguments.number("window_ms", 2'000) * kMilli;
  config.remote = {arguments.address("to"), kPort};
  LineEnd line(arguments);
  config.local = {line.config().ip.address, 0};
  config.addresses = line.config().ip.address_count;
  config.slots = line.config().tcp.connections;
  config.connections = config.slots - LineEnd::kSpare;
  EchoClient client(config, line.tx());
  Stack stack(line.config(), line.port(), line.rx(), line.tx(), client);
  client.attach(stack);
  const HiccupProbe::Summary hiccups = drive(stack, client, arguments);
  print_answers(client, hiccups, stack.counters());
}

void connect_client(Arguments& arguments) {
  ConnectClientConfig config;
  config.warm_up = arguments.number("warm_up_ms", 300) * kMilli;
  config.window = arguments.number("window_ms", 2'000) * kMilli;
  config.under_way = static_cast<uint32_t>(arguments.number("under_way", 1));
  config.rest = arguments.number("rest_ms", 0) * kMilli;
  config.remote = {arguments.address("to"), kPort};
  LineEnd line(arguments);
  config.local = {line.config().ip.address, 0};
  config.addresses = line.config().ip.address_count;
  config.slots = line.config().tcp.connections;
  ConnectClient client(config, line.tx());
  Stack stack(line.config(), line.port(), line.rx(), line.tx(), client);
  client.attach(stack);
  const HiccupProbe::Summary hiccups = drive(stack, client, arguments);
  print_answers(client, hiccups, stack.counters());
}

void port_echo(Arguments& arguments) {
  LineEnd line(arguments);
  FrameEcho echo(line.port());
  drive([&](Nanos now) { return echo.turn(now); }, [] { return false; }, arguments);
  puts("{\"amount\":0}");
}

void port_load(Arguments& arguments) {
  const FrameLoadConfig config{.under_way = static_cast<uint32_t>(arguments.number("under_way", 512)),
                               .length = static_cast<uint16_t>(arguments.number("length", 254)),
                               .warm_up = arguments.number("warm_up_ms", 300) * kMilli,
                               .window = arguments.number("window_ms", 2'000) * kMilli};
  LineEnd line(arguments);
  FrameLoad load(config, line.port(), line.rx(), line.tx());
  const HiccupProbe::Summary hiccups =
      drive([&](Nanos now) { return load.turn(now); }, [&] { return load.done(); }, arguments);
  putchar('{');
  print_window(load.window());
  print_rest(hiccups, {});
}

void mirror_drain(Arguments& arguments) {
  LineEnd line(arguments);
  MirrorDrain drain(line.port(), line.rx());
  drive([&](Nanos now) { return drain.turn(now); }, [] { return false; }, arguments);
  printf("{\"amount\":%" PRIu64 ",\"dropped\":%" PRIu32 "}\n", drain.records(), drain.dropped());
}

void print_costs(const Costs& costs) {
  const char* before = "{";
  for (const auto& [name, nanoseconds] : costs) {
    printf("%s\"%s\":%.4g", before, name.c_str(), nanoseconds);
    before = ",";
  }
  puts("}");
}

template <Costs (*Measure)(uint32_t)>
void costs(Arguments& arguments) {
  const auto count = static_cast<uint32_t>(arguments.number("count", 10'000'000));
  arguments.check_all_read();
  say_ready();
  print_costs(Measure(count));
}

void packets(Arguments& arguments) {
  const auto rounds = static_cast<uint32_t>(arguments.number("rounds", 50));
  arguments.check_all_read();
  const char* before = "{";
  for (const auto& [name, count] : packet_costs(rounds)) {
    printf("%s\"%s\":%" PRIu64, before, name.c_str(), count);
    before = ",";
  }
  puts("}");
}

const std::map<std::string, void (*)(Arguments&)> kCommands = {
    {"bulk-sink", bulk_sink},     {"bulk-source", bulk_source},       {"echo-server", echo_server},
    {"echo-client", echo_client}, {"connect-client", connect_client}, {"port-echo", port_echo},
    {"port-load", port_load},     {"ring", costs<ring_costs>},        {"classify", costs<classify_costs>},
    {"steer", costs<steer_costs>}, {"packets", packets},              {"mirror-drain", mirror_drain},
    {"nap", costs<nap_costs>},    {"memory", costs<memory_costs>},
};

void run(const std::string& command, Arguments& arguments) {
  const auto found = kCommands.find(command);
  if (found != kCommands.end()) return found->second(arguments);
  std::string names;
  for (const auto& [name, function] : kCommands) names += (names.empty() ? "" : ", ") + name;
  throw std::invalid_argument("\"" + command + "\": one of " + names + " is expected");
}

}  // namespace

}  // namespace qstack::bench

int main(int count, char** words) {
  try {
    qstack::bench::Arguments arguments(count > 2 ? count - 2 : 0, words + 2);
    qstack::bench::run(count > 1 ? words[1] : "", arguments);
    return 0;
  } catch (const std::invalid_argument& error) {
    fprintf(stderr, "qstack_bench: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fprintf(stderr, "qstack_bench: %s\n", error.what());
    return 1;
  }
}
