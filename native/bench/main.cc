// qstack_bench: the native ends of the benchmarks, one process each (tools/bench starts them).
//
// In: a command and `name=value` words. Out: the line "ready" when it can be reached, one line of JSON at its end.
// Exit 0 ok, 1 it failed, 2 usage.
#include <sys/resource.h>
#include <time.h>

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include "native/bench/bulk_sink.hh"
#include "native/bench/bulk_source.hh"
#include "native/bench/line_end.hh"
#include "native/stack/stack_thread.hh"

namespace qstack::bench {

namespace {

constexpr uint16_t kPort = 5201;
constexpr Nanos kMilli = 1'000'000;

double cpu_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void say_ready() {
  puts("ready");
  fflush(stdout);
}

/// Takes turns of the stack and steps of the program in a thread of their own until the program is done.
template <typename Program>
HiccupProbe::Summary drive(Stack& stack, Program& program, Arguments& arguments) {
  std::atomic<bool> done = false;
  StackThreadConfig config{.name = "bench"};
  if (arguments.has("core")) config.core = static_cast<int>(arguments.number("core", 0));
  arguments.check_all_read();
  const auto turn = [&](Nanos now) {
    const uint32_t work = stack.turn(now) + program.step(now);
    if (program.done()) done.store(true, std::memory_order_relaxed);
    return work;
  };
  StackThread thread(turn, config);
  say_ready();
  const timespec pause{0, 5'000'000};
  while (!done.load(std::memory_order_relaxed)) nanosleep(&pause, nullptr);
  const HiccupProbe::Summary hiccups = thread.hiccups(false);
  thread.stop();
  return hiccups;
}

/// The last members of a report: what the thread and the stack say about themselves.
void print_rest(const HiccupProbe::Summary& hiccups, const Counters& counters) {
  printf(",\"cpu_s\":%.3f,\"hiccup_p99_us\":%.1f", cpu_seconds(), static_cast<double>(hiccups.p99) / 1e3);
  for (size_t i = 0; i < kCounters; ++i) {
    if (counters.values[i] == 0) continue;
    printf(",\"%.*s\":%" PRIu64, static_cast<int>(kCounterNames[i].size()), kCounterNames[i].data(), counters.values[i]);
  }
  puts("}");
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
  printf("{\"bytes\":%" PRIu64 ",\"nanoseconds\":%" PRIu64, sink.bytes(), sink.elapsed());
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
  printf("{\"bytes\":%" PRIu64, source.bytes());
  print_rest(hiccups, stack.counters());
}

void run(const std::string& command, Arguments& arguments) {
  if (command == "bulk-sink") return bulk_sink(arguments);
  if (command == "bulk-source") return bulk_source(arguments);
  throw std::invalid_argument("\"" + command + "\": bulk-sink or bulk-source is expected");
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
