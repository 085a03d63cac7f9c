// qstack_sim: runs plans one after the other, from one seed on. tools/sim is its front; people call that.
//
// In: flags. Out: one JSON object a line on stdout: the seed before a plan runs, so that whoever reads knows it when an
// assertion ends the process; then what became of it. Exit 0: all promises kept; 1: one was broken; 2: usage.
#include <chrono>
#include <cstdio>
#include <ctime>

#include "native/sim/options.hh"
#include "native/sim/world.hh"

namespace {

using namespace qstack;
using namespace qstack::sim;

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <typename Items>
void print_numbers(const char* name, const Items& items) {
  std::printf("\"%s\":[", name);
  for (size_t i = 0; i < items.size(); ++i) std::printf(i == 0 ? "%u" : ",%u", items[i].number);
  std::printf("]");
}

void print_broken(const Plan& plan, const Ledger& ledger) {
  uint64_t bytes = 0;
  for (const TransferPlan& t : plan.transfers) bytes = std::max({bytes, t.side[0].bytes, t.side[1].bytes});
  std::printf("{\"broken\":\"%s\",\"detail\":\"%s\",\"seed\":%llu,\"hosts\":%zu,\"bytes\":%llu,",
              ledger.sentence().c_str(), ledger.detail().c_str(), static_cast<unsigned long long>(plan.seed),
              plan.hosts.size(), static_cast<unsigned long long>(bytes));
  print_numbers("transfers", plan.transfers);
  std::printf(",");
  print_numbers("faults", plan.faults);
  std::printf("}\n");
}

void print_counters(const Counters& counters) {
  std::printf("{\"counters\":{");
  for (size_t i = 0; i < kCounters; ++i) {
    std::printf("%s\"%s\":%llu", i == 0 ? "" : ",", kCounterNames[i].data(),
                static_cast<unsigned long long>(counters.values[i]));
  }
  std::printf("}}\n");
}

int run(const Options& o) {
  const double began = wall_seconds();
  uint64_t segments = 0, plans = 0, digest = 0;
  Nanos virtual_time = 0;
  Counters sum;
  bool well = true;
  const uint64_t most = o.plans != 0 ? o.plans : o.seconds != 0 || o.virtual_hours != 0 ? UINT64_MAX : 1;
  for (; well && plans < most; ++plans) {
    if (o.seconds != 0 && wall_seconds() - began >= o.seconds) break;
    if (o.virtual_hours != 0 && static_cast<double>(virtual_time) * 1e-9 >= o.virtual_hours * 3'600) break;
    const Plan plan = make_plan(o.seed + plans, o.limits);
    std::printf("{\"seed\":%llu,\"plans\":%llu,\"segments\":%llu}\n", static_cast<unsigned long long>(plan.seed),
                static_cast<unsigned long long>(plans), static_cast<unsigned long long>(segments));
    std::fflush(stdout);
    World world(plan);
    world.ledger().set_trace(o.trace);
    well = world.run();
    segments += world.segments();
    virtual_time += world.virtual_time();
    digest = mix(digest ^ world.ledger().digest());
    if (!well) print_broken(plan, world.ledger());
    if (!o.counters) continue;
    const Counters counted = world.counters();
    for (size_t i = 0; i < kCounters; ++i) sum.values[i] += counted.values[i];
  }
  if (o.counters) print_counters(sum);
  std::printf(
      "{\"end\":true,\"plans\":%llu,\"segments\":%llu,\"virtual_seconds\":%.3f,\"cpu_seconds\":%.3f,\"digest\":\"%"
      "016llx\"}\n",
      static_cast<unsigned long long>(plans), static_cast<unsigned long long>(segments),
      static_cast<double>(virtual_time) * 1e-9, cpu_seconds(), static_cast<unsigned long long>(digest));
  return well ? 0 : 1;
}

int run_cell(const Options& o) {
  Cell cell = *o.cell;
  cell.seed = o.seed;
  const Measured m = measure_throughput(cell, o.trace);
  if (o.counters) print_counters(m.counters);
  std::printf("{\"bytes_per_second\":%.0f,\"segments\":%llu,\"broken\":\"%s\"}\n", m.bytes_per_second,
              static_cast<unsigned long long>(m.segments), m.broken.c_str());
  return m.broken.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!read_options(argc, argv, options)) return 2;
  return options.cell ? run_cell(options) : run(options);
}
