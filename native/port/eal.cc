#include "native/port/eal.hh"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mempool.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>
#include <stdexcept>

namespace qstack {

namespace {

enum class EalState { never, running, failed };
std::atomic<EalState> state{EalState::never};

/// EAL is one per process, and so is its log: this is the process's state, not a stack's.
struct LogTail {
  std::mutex mutex;
  std::deque<std::string> lines;
  bool capturing = false;
};

LogTail& log_tail() {
  static LogTail* const tail = new LogTail;  // EAL's threads may write while the process ends
  return *tail;
}

constexpr size_t kLinesMax = 4;

void keep(LogTail& tail, std::string line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  if (!line.empty()) tail.lines.push_back(std::move(line));
  if (tail.lines.size() > kLinesMax) tail.lines.pop_front();
}

ssize_t write_log(void*, const char* bytes, size_t length) {
  LogTail& tail = log_tail();
  const std::lock_guard guard(tail.mutex);
  if (!tail.capturing) return static_cast<ssize_t>(fwrite(bytes, 1, length, stderr));
  keep(tail, std::string(bytes, length));
  return static_cast<ssize_t>(length);
}

/// EAL writes to syslog as well unless it is given a stream.
void open_log() {
  FILE* const stream =
      fopencookie(nullptr, "w", {.read = nullptr, .write = write_log, .seek = nullptr, .close = nullptr});
  if (stream == nullptr) return;
  setvbuf(stream, nullptr, _IOLBF, 512);
  rte_openlog_stream(stream);
}

/// All CPUs that this thread may use, so that EAL pins it to no fewer.
std::string cpu_list() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return "0";
  std::string list;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    if (!list.empty()) list += ',';
    list += std::to_string(cpu);
  }
  return list;
}

std::string hint(const EalOptions& options) {
  if (options.hugepages) {
    return "are " + std::to_string(options.memory_mib) +
           " MiB of hugepages free (grep Huge /proc/meminfo)? It also runs without hugepages";
  }
  return "are " + std::to_string(options.memory_mib) + " MiB of memory free?";
}

void forbid_second_start() {
  EalState expected = EalState::never;
  if (state.compare_exchange_strong(expected, EalState::failed)) return;
  throw std::runtime_error(expected == EalState::running
                               ? "DPDK is already started in this process, and can be started only once"
                               : "DPDK failed to start in this process before, and can be started only once");
}

}  // namespace

std::vector<std::string> eal_arguments(const EalOptions& options) {
  std::vector<std::string> arguments = {"-m", std::to_string(options.memory_mib)};
  if (options.hugepages) {
    arguments.push_back("--in-memory");
  } else {
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf"});
  }
  if (options.pci_devices.empty()) arguments.push_back("--no-pci");
  for (const std::string& device : options.pci_devices) arguments.insert(arguments.end(), {"--allow", device});
  arguments.insert(arguments.end(), {"--iova-mode=va", "--no-telemetry", "--lcores", "0@(" + cpu_list() + ")",
                                     "--file-prefix", "qstack-" + std::to_string(getpid()), "--log-level=warning"});
  return arguments;
}

void start_eal(const EalOptions& options) {
  forbid_second_start();
  std::vector<std::string> arguments = eal_arguments(options);
  arguments.insert(arguments.begin(), "qstack");
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  open_log();
  const EalLogCapture capture;
  if (rte_eal_init(static_cast<int>(arguments.size()), argv.data()) < 0) {
    throw std::runtime_error("DPDK does not start (" + std::string(rte_strerror(rte_errno)) +
                             "): " + EalLogCapture::text() + "; " + hint(options));
  }
  state = EalState::running;
}

bool eal_running() { return state == EalState::running; }

namespace {

/// What a thread has at hand of a pool that another thread will use.
void give_back_cache(rte_mempool* pool, void* thread) {
  rte_mempool_cache* const cache = rte_mempool_default_cache(pool, *static_cast<const unsigned*>(thread));
  if (cache != nullptr && cache->len != 0) rte_mempool_cache_flush(cache, pool);
}

void give_back_caches(unsigned thread) { rte_mempool_walk(give_back_cache, &thread); }

}  // namespace

void eal_enter_thread() {
  if (!eal_running() || rte_lcore_id() != LCORE_ID_ANY) return;
  rte_thread_register();  // may fail: then the pools are locked each time
  give_back_caches(rte_get_main_lcore());
}

void eal_leave_thread() {
  if (!eal_running() || rte_lcore_id() == rte_get_main_lcore()) return;
  give_back_caches(rte_lcore_id());
  rte_thread_unregister();
}

EalLogCapture::EalLogCapture() {
  LogTail& tail = log_tail();
  const std::lock_guard guard(tail.mutex);
  tail.lines.clear();
  tail.capturing = true;
}

EalLogCapture::~EalLogCapture() {
  LogTail& tail = log_tail();
  const std::lock_guard guard(tail.mutex);
  tail.capturing = false;
}

void EalLogCapture::add(const std::string& line) {
  LogTail& tail = log_tail();
  const std::lock_guard guard(tail.mutex);
  if (tail.capturing) keep(tail, line);
}

std::string EalLogCapture::text() {
  LogTail& tail = log_tail();
  const std::lock_guard guard(tail.mutex);
  std::string text;
  for (const std::string& line : tail.lines) text += (text.empty() ? "" : "; ") + line;
  return text.empty() ? "no message" : text;
}

}  // namespace qstack
