// bulk: the kernel's ends of the bulk benchmark: plain blocking sockets, as an ordinary program uses them.
//
// In: `sink PORT WARM_UP_MS WINDOW_MS` or `source ADDRESS PORT WRITE_SIZE SEND_BUFFER DURATION_MS` (buffer 0: the kernel
// chooses and grows it). Out: the line "ready", and one line of JSON at the end.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BUFFER = 65536, TRIES = 100, TRY_AGAIN_US = 50000 };

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/// Work of all processes and of the kernel since the machine started, in seconds.
static double machine_busy_seconds(void) {
  unsigned long long user = 0, nice = 0, system = 0, irq = 0, softirq = 0;
  FILE* const file = fopen("/proc/stat", "r");
  if (file == NULL) return 0;
  const int read = fscanf(file, "cpu %llu %llu %llu %*u %*u %llu %llu", &user, &nice, &system, &irq, &softirq);
  fclose(file);
  return read < 5 ? 0 : (double)(user + nice + system + irq + softirq) / (double)sysconf(_SC_CLK_TCK);
}

static void fail(const char* what) {
  fprintf(stderr, "bulk: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void say_ready(void) {
  puts("ready");
  fflush(stdout);
}

static int accept_one(int port) {
  const int one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 1) != 0) fail("listen");
  say_ready();
  const int connection = accept(listener, NULL, NULL);
  if (connection < 0) fail("accept");
  return connection;
}

/// Bytes that came in the window, which begins `warm_up` after the first byte, and how busy the machine was in it. Closes
/// then, which tells the source that it may end.
static void sink(int port, uint64_t warm_up, uint64_t window) {
  static uint8_t buffer[READ_BUFFER];
  const int connection = accept_one(port);
  uint64_t total = 0, began = 0, first = 0, first_bytes = 0, last = 0, last_bytes = 0;
  double first_busy = 0, busy = 0;
  for (ssize_t n; (n = read(connection, buffer, sizeof buffer)) > 0;) {
    const uint64_t now = now_ns();
    total += (uint64_t)n;
    if (began == 0) began = now;
    if (now < began + warm_up) continue;
    if (first == 0) first = now, first_bytes = total, first_busy = machine_busy_seconds();
    last = now;
    last_bytes = total;
    if (last < first + window) continue;
    busy = machine_busy_seconds() - first_busy;
    break;
  }
  close(connection);
  printf("{\"amount\":%llu,\"nanoseconds\":%llu,\"busy_s\":%.2f}\n", (unsigned long long)(last_bytes - first_bytes),
         (unsigned long long)(last - first), busy);
}

static int connect_to(const char* text, int port, int send_buffer) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) fail("address");
  for (int tries = 0; tries < TRIES; ++tries) {
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    // The kernel doubles what it is told, for its own bookkeeping.
    if (send_buffer > 0) setsockopt(connection, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer);
    if (connect(connection, (struct sockaddr*)&address, sizeof address) == 0) return connection;
    close(connection);
    usleep(TRY_AGAIN_US);
  }
  fail("connect");
  return -1;
}

static void source(int connection, size_t write_size, uint64_t duration) {
  uint8_t* const data = malloc(write_size);
  memset(data, 'q', write_size);
  const uint64_t end = now_ns() + duration;
  uint64_t total = 0;
  say_ready();
  // The clock is read once per 64 KB: small writes do not pay for it.
  for (uint64_t looked = 0; total < looked + READ_BUFFER || now_ns() < end;) {
    if (total >= looked + READ_BUFFER) looked = total;
    const ssize_t n = write(connection, data, write_size);
    if (n <= 0) break;
    total += (uint64_t)n;
  }
  close(connection);
  printf("{\"amount\":%llu}\n", (unsigned long long)total);
}

int main(int count, char** words) {
  signal(SIGPIPE, SIG_IGN);
  if (count == 5 && strcmp(words[1], "sink") == 0) {
    sink(atoi(words[2]), strtoull(words[3], NULL, 10) * 1000000, strtoull(words[4], NULL, 10) * 1000000);
    return 0;
  }
  if (count == 7 && strcmp(words[1], "source") == 0) {
    const int connection = connect_to(words[2], atoi(words[3]), atoi(words[5]));
    source(connection, strtoul(words[4], NULL, 10), strtoull(words[6], NULL, 10) * 1000000);
    return 0;
  }
  fputs("bulk sink PORT WARM_UP_MS WINDOW_MS | bulk source ADDRESS PORT WRITE_SIZE SEND_BUFFER DURATION_MS\n", stderr);
  return 2;
}
