// echo: the kernel's ends of the echo and the connect benchmark: a server and closed-loop clients, each one thread around epoll.
//
// In: `server PORT`, or `client ADDRESS PORT CONNECTIONS WARM_UP_MS WINDOW_MS`, or `connect ADDRESS PORT UNDER_WAY WARM_UP_MS
// WINDOW_MS`, which opens, asks once, takes the reply and closes, from 127.0.0.1 and the addresses after it in turns.
// Out: the line "ready"; of a client one line of JSON at its end: answers in the window that begins when all connections
// stand (connect: at once), and their latencies (connect: from the open).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 200, REPLY = 64, EVENTS = 512, FDS = 65536, CELLS = 4000000, CELL_NS = 500, TRY_AGAIN_US = 20000, TRIES = 250,
       SOURCES = 32 };

static uint32_t filled[FDS];    // bytes of the message that is under way
static uint64_t asked[FDS];     // when it was sent; of `connect`: when the connection was opened
static uint8_t waits[FDS];      // the connection does not stand yet
static uint32_t cells[CELLS];   // latencies in steps of CELL_NS; the last one holds the rest

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
  fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void say_ready(void) {
  puts("ready");
  fflush(stdout);
}

static void allow_many_files(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void watch(int epoll, int fd) {
  const int one = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (fd >= FDS) fail("too many files");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  filled[fd] = 0;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

static void accept_all(int epoll, int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) watch(epoll, fd);
}

/// Reads what there is; one reply for each request that is whole.
static void serve(int fd) {
  static uint8_t buffer[16384];
  static const uint8_t reply[REPLY] = {'r'};
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n == 0 || (n < 0 && errno != EAGAIN)) {
    close(fd);
    return;
  }
  if (n < 0) return;
  filled[fd] += (uint32_t)n;
  for (; filled[fd] >= REQUEST; filled[fd] -= REQUEST) {
    if (write(fd, reply, sizeof reply) != (ssize_t)sizeof reply) fail("write");
  }
}

static void server(int port) {
  const int one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct epoll_event events[EVENTS];
  const int epoll = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 4096) != 0) fail("listen");
  watch(epoll, listener);
  say_ready();
  for (;;) {
    const int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd == listener) {
        accept_all(epoll, listener);
      } else {
        serve(events[i].data.fd);
      }
    }
  }
}

static int connect_to(const char* text, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) fail("address");
  for (int tries = 0; tries < TRIES; ++tries) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) fail("socket");
    if (connect(fd, (struct sockaddr*)&address, sizeof address) == 0) return fd;
    close(fd);
    usleep(TRY_AGAIN_US);
  }
  fail("connect");
  return -1;
}

static void ask(int fd) {
  static const uint8_t request[REQUEST] = {'q'};
  asked[fd] = now_ns();
  if (write(fd, request, sizeof request) != (ssize_t)sizeof request) fail("write");
}

/// 1 when the reply is whole.
static int take(int fd) {
  uint8_t buffer[REPLY];
  const ssize_t n = read(fd, buffer, REPLY - filled[fd]);
  if (n <= 0) fail("read");
  filled[fd] += (uint32_t)n;
  if (filled[fd] < REPLY) return 0;
  filled[fd] = 0;
  return 1;
}

static double quantile_us(double quantile, uint64_t count) {
  uint64_t seen = 0;
  int cell = 0;
  while (cell < CELLS - 1 && (double)(seen += cells[cell]) < quantile * (double)count) ++cell;
  return (double)(cell + 1) * CELL_NS / 1e3;
}

static void count_answer(int fd) {
  const uint64_t cell = (now_ns() - asked[fd]) / CELL_NS;
  ++cells[cell < CELLS ? cell : CELLS - 1];
}

static void report(uint64_t answers, uint64_t nanoseconds, double busy) {
  printf("{\"amount\":%llu,\"nanoseconds\":%llu,\"busy_s\":%.2f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"lost\":0}\n",
         (unsigned long long)answers, (unsigned long long)nanoseconds, busy, quantile_us(0.5, answers),
         quantile_us(0.99, answers));
}

static void run(int epoll, uint64_t warm_up, uint64_t window) {
  struct epoll_event events[EVENTS];
  const uint64_t first = now_ns() + warm_up;
  uint64_t answers = 0, now = 0;
  double busy = -1;
  while (now < first + window) {
    const int n = epoll_wait(epoll, events, EVENTS, 100);
    now = now_ns();
    if (now >= first && busy < 0) busy = machine_busy_seconds();
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (!take(fd)) continue;
      if (now >= first) ++answers, count_answer(fd);
      ask(fd);
    }
  }
  report(answers, now - first, machine_busy_seconds() - busy);
}

static void client(const char* address, int port, int connections, uint64_t warm_up, uint64_t window) {
  const int epoll = epoll_create1(0);
  int* const fds = calloc((size_t)connections, sizeof *fds);
  say_ready();
  for (int i = 0; i < connections; ++i) watch(epoll, fds[i] = connect_to(address, port));
  for (int i = 0; i < connections; ++i) ask(fds[i]);
  run(epoll, warm_up, window);
}

/// One more open under way. Without a port of its own until connect() picks one, so that each source has all ports.
static void begin(int epoll, const struct sockaddr_in* to) {
  static uint32_t opens;
  const int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + opens++ % SOURCES)};
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
  if (fd < 0 || fd >= FDS) fail("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  filled[fd] = 0;
  waits[fd] = 1;
  asked[fd] = now_ns();
  if (bind(fd, (struct sockaddr*)&from, sizeof from) != 0) fail("bind");
  if (connect(fd, (const struct sockaddr*)to, sizeof *to) != 0 && errno != EINPROGRESS) fail("connect");
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

/// 1 when the reply is whole. The request leaves as soon as the connection stands.
static int go_on(int fd, uint32_t events) {
  static const uint8_t request[REQUEST] = {'q'};
  if (waits[fd] && (events & EPOLLOUT)) {
    if (write(fd, request, sizeof request) != (ssize_t)sizeof request) fail("write");
    waits[fd] = 0;
  }
  return (events & EPOLLIN) && take(fd);
}

static void connect_and_ask(const char* text, int port, int under_way, uint64_t warm_up, uint64_t window) {
  const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = inet_addr(text)};
  const int epoll = epoll_create1(0);
  struct epoll_event events[EVENTS];
  uint64_t answers = 0, now = 0;
  double busy = -1;
  close(connect_to(text, port));  // the server is there
  say_ready();
  const uint64_t first = now_ns() + warm_up;
  for (int i = 0; i < under_way; ++i) begin(epoll, &to);
  while (now < first + window) {
    const int n = epoll_wait(epoll, events, EVENTS, 100);
    now = now_ns();
    if (now >= first && busy < 0) busy = machine_busy_seconds();
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (!go_on(fd, events[i].events)) continue;
      if (now >= first) ++answers, count_answer(fd);
      close(fd);
      begin(epoll, &to);
    }
  }
  report(answers, now - first, machine_busy_seconds() - busy);
}

int main(int count, char** words) {
  signal(SIGPIPE, SIG_IGN);
  allow_many_files();
  if (count == 3 && strcmp(words[1], "server") == 0) {
    server(atoi(words[2]));
    return 0;
  }
  const int connects = count == 7 && strcmp(words[1], "connect") == 0;
  if (connects || (count == 7 && strcmp(words[1], "client") == 0)) {
    (connects ? connect_and_ask : client)(words[2], atoi(words[3]), atoi(words[4]),
                                          strtoull(words[5], NULL, 10) * 1000000, strtoull(words[6], NULL, 10) * 1000000);
    return 0;
  }
  fputs("echo server PORT | echo client|connect ADDRESS PORT CONNECTIONS|UNDER_WAY WARM_UP_MS WINDOW_MS\n", stderr);
  return 2;
}
