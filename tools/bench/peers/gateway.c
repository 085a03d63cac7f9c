// gateway: iotepserver's job on the kernel's TCP, one thread around epoll, Redis by hiredis' asynchronous contexts.
//
// In: `PORT REDIS_SOCKET ...`; messages of 200 bytes, of which bytes 0..3 are a counter. Out: the line "ready"; for every message
// `SET s:{ip:port} <bytes 0..9> GET` and `GET c:<class>`, each at the server of its key's slot, and when both are answered a
// reply of 146 bytes with the counter. All commands of a turn leave in one write per server.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/async.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE = 200, STORED = 10, REPLY = 146, COUNTER_AT = 126, LABEL_AT = 6, LABEL_REPLY = 3 };
enum { EVENTS = 512, FDS = 131072, SLOTS = 16384, SHARDS_MAX = 64, CLASSES = 256 };

struct connection {
  uint32_t generation;  // of whoever has this file number
  uint16_t filled;      // bytes of the message that is under way
  uint8_t class;
  uint8_t key_length, shard;
  char key[28];
  uint8_t message[MESSAGE];
};

struct request {
  struct request* next;
  int fd;
  uint32_t generation, counter;
  uint8_t waits, failed;
};

struct shard {
  redisAsyncContext* context;
  int fd, wants_write, watches_write;
};

static struct connection connections[FDS];
static struct request* free_requests;
static struct shard shards[SHARDS_MAX];
static int shard_count, epoll;
static char class_keys[CLASSES][8];
static uint8_t class_shards[CLASSES];
static uint8_t done[REPLY], unavailable[REPLY];

static void fail(const char* what) {
  fprintf(stderr, "gateway: %s: %s\n", what, strerror(errno));
  exit(1);
}

/// CRC16 (XMODEM) of a key, or of what stands between its braces: the slots of Redis Cluster, in equal ranges.
static uint8_t shard_of(const char* key, size_t length) {
  const char* const open = memchr(key, '{', length);
  const char* const close = open == NULL ? NULL : memchr(open, '}', (size_t)(key + length - open));
  if (close != NULL) length = (size_t)(close - open - 1), key = open + 1;
  uint16_t crc = 0;
  for (size_t i = 0; i < length; ++i) {
    crc ^= (uint16_t)((uint8_t)key[i] << 8);
    for (int bit = 0; bit < 8; ++bit) crc = (uint16_t)(crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0));
  }
  return (uint8_t)(crc % SLOTS * (unsigned)shard_count / SLOTS);
}

static void make_reply(uint8_t* reply, const char* status) {
  snprintf((char*)reply, REPLY,
           "HTTP/1.1 %s\r\nDate: 25.11.1985\r\nServer: Webserver on Middlebox TCP (Ubuntu)\r\n"
           "Content-Length: 100\r\nConnection: keepalive\r\n\r\n",
           status);
  reply[LABEL_AT] = LABEL_REPLY;
}

static void watch(int fd, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, operation, fd, &event) != 0) fail("epoll_ctl");
}

// ---- requests

static struct request* take_request(void) {
  struct request* request = free_requests;
  if (request == NULL) return calloc(1, sizeof *request);
  free_requests = request->next;
  return request;
}

static void answer(struct request* request) {
  static const char digits[] = "0123456789abcdef";
  uint8_t* const reply = request->failed ? unavailable : done;
  for (int i = 0; i < 8; ++i) reply[COUNTER_AT + i] = (uint8_t)digits[request->counter >> (28 - 4 * i) & 15];
  if (connections[request->fd].generation == request->generation) {
    if (write(request->fd, reply, REPLY) != REPLY && errno != EPIPE && errno != ECONNRESET) fail("write");
  }
  request->next = free_requests;
  free_requests = request;
}

static void on_reply(redisAsyncContext* context, void* raw, void* data) {
  const redisReply* const reply = raw;
  struct request* const request = data;
  if (reply == NULL) {
    fprintf(stderr, "gateway: Redis: %s\n", context->errstr);
    exit(1);
  }
  if (reply->type == REDIS_REPLY_ERROR) request->failed = 1;
  if (--request->waits == 0) answer(request);
}

static void ask(int fd, const uint8_t* message) {
  struct connection* const connection = &connections[fd];
  struct request* const request = take_request();
  request->fd = fd;
  request->generation = connection->generation;
  request->waits = 2;
  request->failed = 0;
  memcpy(&request->counter, message, sizeof request->counter);
  const char* const exchange[] = {"SET", connection->key, (const char*)message, "GET"};
  const size_t exchange_lengths[] = {3, connection->key_length, STORED, 3};
  const char* const class_key = class_keys[connection->class];
  const char* const look_up[] = {"GET", class_key};
  const size_t look_up_lengths[] = {3, strlen(class_key)};
  redisAsyncCommandArgv(shards[connection->shard].context, on_reply, request, 4, (const char**)exchange, exchange_lengths);
  redisAsyncCommandArgv(shards[class_shards[connection->class]].context, on_reply, request, 2, (const char**)look_up,
                        look_up_lengths);
}

// ---- connections

static void open_connection(int fd, const struct sockaddr_in* peer) {
  struct connection* const connection = &connections[fd];
  const uint8_t* const address = (const uint8_t*)&peer->sin_addr;
  const int one = 1;
  if (fd >= FDS) fail("too many files");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  connection->filled = 0;
  connection->class = address[3];
  const int length = snprintf(connection->key, sizeof connection->key, "s:{%u.%u.%u.%u:%u}", address[0], address[1], address[2],
                              address[3], ntohs(peer->sin_port));
  connection->key_length = (uint8_t)length;
  connection->shard = shard_of(connection->key, (size_t)length);
  watch(fd, EPOLLIN, EPOLL_CTL_ADD);
}

static void accept_all(int listener) {
  for (;;) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    const int fd = accept4(listener, (struct sockaddr*)&peer, &length, SOCK_NONBLOCK);
    if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) fail("accept");
    if (fd < 0) return;
    open_connection(fd, &peer);
  }
}

static void end_connection(int fd) {
  ++connections[fd].generation;
  close(fd);
}

/// Reads what there is; asks Redis for each message that is whole.
static void serve(int fd) {
  static uint8_t buffer[65536];
  struct connection* const connection = &connections[fd];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    end_connection(fd);
    return;
  }
  size_t at = 0;
  if (connection->filled > 0) {
    const size_t missing = MESSAGE - connection->filled;
    at = missing < (size_t)n ? missing : (size_t)n;
    memcpy(connection->message + connection->filled, buffer, at);
    connection->filled = (uint16_t)(connection->filled + at);
    if (connection->filled < MESSAGE) return;
    ask(fd, connection->message);
  }
  for (; at + MESSAGE <= (size_t)n; at += MESSAGE) ask(fd, buffer + at);
  connection->filled = (uint16_t)((size_t)n - at);
  memcpy(connection->message, buffer + at, connection->filled);
}

// ---- Redis

static void add_write(void* shard) { ((struct shard*)shard)->wants_write = 1; }
static void del_write(void* shard) { ((struct shard*)shard)->wants_write = 0; }
static void keep(void* shard) { (void)shard; }

static void connect_shard(struct shard* shard, const char* path) {
  shard->context = redisAsyncConnectUnix(path);
  if (shard->context == NULL || shard->context->err != 0) fail(path);
  shard->context->ev.data = shard;
  shard->context->ev.addWrite = add_write;
  shard->context->ev.delWrite = del_write;
  shard->context->ev.addRead = shard->context->ev.delRead = shard->context->ev.cleanup = keep;
  shard->fd = shard->context->c.fd;
  shard->wants_write = 1;
  watch(shard->fd, EPOLLIN, EPOLL_CTL_ADD);
}

/// At the end of a turn; epoll is asked for room only where the socket had none.
static void flush(struct shard* shard) {
  if (shard->wants_write) redisAsyncHandleWrite(shard->context);
  if (shard->wants_write == shard->watches_write) return;
  shard->watches_write = shard->wants_write;
  watch(shard->fd, EPOLLIN | (shard->wants_write ? EPOLLOUT : 0u), EPOLL_CTL_MOD);
}

static struct shard* shard_with(int fd) {
  for (int i = 0; i < shard_count; ++i) {
    if (shards[i].fd == fd) return &shards[i];
  }
  return NULL;
}

// ---- the loop

static int listen_on(int port) {
  const int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 4096) != 0) fail("listen");
  watch(listener, EPOLLIN, EPOLL_CTL_ADD);
  return listener;
}

static void run(int listener) {
  struct epoll_event events[EVENTS];
  for (;;) {
    const int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      struct shard* const shard = shard_with(fd);
      if (fd == listener) {
        accept_all(listener);
      } else if (shard == NULL) {
        serve(fd);
      } else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        redisAsyncHandleRead(shard->context);
      }
    }
    for (int i = 0; i < shard_count; ++i) flush(&shards[i]);
  }
}

int main(int count, char** words) {
  if (count < 3 || count > SHARDS_MAX + 2) {
    fputs("gateway PORT REDIS_SOCKET ...\n", stderr);
    return 2;
  }
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  signal(SIGPIPE, SIG_IGN);
  epoll = epoll_create1(0);
  shard_count = count - 2;
  for (int i = 0; i < shard_count; ++i) connect_shard(&shards[i], words[i + 2]);
  for (int i = 0; i < CLASSES; ++i) {
    const int length = snprintf(class_keys[i], sizeof class_keys[i], "c:%d", i);
    class_shards[i] = shard_of(class_keys[i], (size_t)length);
  }
  make_reply(done, "200 OK");
  make_reply(unavailable, "503 NO");
  const int listener = listen_on(atoi(words[1]));
  puts("ready");
  fflush(stdout);
  run(listener);
}
