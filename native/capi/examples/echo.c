/*
 * echo.c: a server that echoes and its clients, in one file: two stacks joined in memory, a thread each, epoll on both sides.
 *
 * In: nothing. Out: the line "echoed N bytes over M connections", exit 0; or what went wrong, and exit 1.
 * Build: cc -std=c99 -pthread echo.c $(pkg-config --cflags --libs qstack) -o echo
 */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qstack.h"

enum { CONNECTIONS = 100, BYTES = 100000, PIECE = 4096, PORT = 7 };

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

/* ---- The server: level triggered, one buffer for all, since what cannot be written at once is waited for. ---- */

struct echo {
  int fd;
  size_t length; /* read and not written yet */
  char bytes[PIECE];
};

static int accept_one(qst_stack *stack, int epoll, int listener) {
  struct epoll_event event;
  struct echo *echo;
  int fd = qst_accept4(stack, listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return 0;
  echo = calloc(1, sizeof(*echo));
  if (echo == NULL) fail("calloc");
  echo->fd = fd;
  event.events = EPOLLIN;
  event.data.ptr = echo;
  if (qst_epoll_ctl(stack, epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("qst_epoll_ctl");
  return 1;
}

/* Not 0 when the connection is done. */
static int serve(qst_stack *stack, int epoll, struct echo *echo) {
  struct epoll_event event;
  ssize_t n;
  if (echo->length == 0) {
    n = qst_read(stack, echo->fd, echo->bytes, sizeof(echo->bytes));
    if (n < 0 && errno == EAGAIN) return 0;
    if (n <= 0) return 1;
    echo->length = (size_t)n;
  }
  n = qst_write(stack, echo->fd, echo->bytes, echo->length);
  if (n < 0 && errno != EAGAIN) return 1;
  if (n > 0) {
    echo->length -= (size_t)n;
    memmove(echo->bytes, echo->bytes + n, echo->length);
  }
  event.events = echo->length == 0 ? EPOLLIN : EPOLLOUT;
  event.data.ptr = echo;
  if (qst_epoll_ctl(stack, epoll, EPOLL_CTL_MOD, echo->fd, &event) != 0) fail("qst_epoll_ctl");
  return 0;
}

static int listen_on(qst_stack *stack, unsigned short port) {
  struct sockaddr_in address;
  int fd = qst_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (fd < 0) fail("qst_socket");
  if (qst_bind(stack, fd, (struct sockaddr *)&address, sizeof(address)) != 0) fail("qst_bind");
  if (qst_listen(stack, fd, CONNECTIONS) != 0) fail("qst_listen");
  return fd;
}

struct server {
  qst_stack *stack;
  int listener; /* before the first client comes */
};

static void *serve_all(void *argument) {
  struct server *server = argument;
  qst_stack *stack = server->stack;
  int listener = server->listener;
  struct epoll_event events[64], event;
  int epoll = qst_epoll_create(stack, 1);
  int done = 0, i, count;
  event.events = EPOLLIN;
  event.data.ptr = NULL; /* the listener */
  if (qst_epoll_ctl(stack, epoll, EPOLL_CTL_ADD, listener, &event) != 0) fail("qst_epoll_ctl");
  while (done < CONNECTIONS) {
    count = qst_epoll_wait(stack, epoll, events, 64, -1);
    if (count < 0) fail("qst_epoll_wait");
    for (i = 0; i < count; ++i) {
      struct echo *echo = events[i].data.ptr;
      if (echo == NULL) {
        while (accept_one(stack, epoll, listener)) continue;
      } else if (serve(stack, epoll, echo)) {
        qst_close(stack, echo->fd);
        free(echo);
        ++done;
      }
    }
  }
  /* What was closed last still says so to its peer: some turns, for as long as something happens within 100 ms. */
  while (qst_epoll_wait(stack, epoll, events, 64, 100) > 0) continue;
  return NULL;
}

/* ---- The clients: edge triggered. Byte n of connection c is always the same, so that every byte can be checked. ---- */

struct client {
  int fd;
  size_t sent, received;
};

static char byte_at(const struct client *clients, const struct client *client, size_t at) {
  return (char)(at * 31 + at / 251 + (size_t)(client - clients));
}

static void write_all(qst_stack *stack, const struct client *clients, struct client *client) {
  char bytes[PIECE];
  while (client->sent < BYTES) {
    size_t length = BYTES - client->sent < PIECE ? BYTES - client->sent : PIECE, i;
    ssize_t n;
    for (i = 0; i < length; ++i) bytes[i] = byte_at(clients, client, client->sent + i);
    n = qst_write(stack, client->fd, bytes, length);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) fail("qst_write");
    client->sent += (size_t)n;
  }
  /* The last byte is followed by our end of the stream; the echo still comes. Again, it does nothing. */
  qst_shutdown(stack, client->fd, SHUT_WR);
}

/* Not 0 when the whole echo has come. */
static int read_all(qst_stack *stack, const struct client *clients, struct client *client) {
  char bytes[PIECE];
  for (;;) {
    ssize_t n = qst_read(stack, client->fd, bytes, sizeof(bytes)), i;
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) fail("qst_read");
    if (n == 0) return 1;
    for (i = 0; i < n; ++i) {
      if (bytes[i] == byte_at(clients, client, client->received++)) continue;
      fprintf(stderr, "a wrong byte came back\n");
      exit(1);
    }
  }
}

static void connect_one(qst_stack *stack, int epoll, struct client *client) {
  struct sockaddr_in address;
  struct epoll_event event;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons(PORT);
  inet_pton(AF_INET, "10.0.0.1", &address.sin_addr);
  client->fd = qst_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (client->fd < 0) fail("qst_socket");
  if (qst_connect(stack, client->fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS) {
    fail("qst_connect");
  }
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.ptr = client;
  if (qst_epoll_ctl(stack, epoll, EPOLL_CTL_ADD, client->fd, &event) != 0) fail("qst_epoll_ctl");
}

static void run_clients(qst_stack *stack) {
  static struct client clients[CONNECTIONS];
  struct epoll_event events[64];
  int epoll = qst_epoll_create(stack, 1);
  unsigned long long bytes = 0;
  int left = CONNECTIONS, i, count;
  for (i = 0; i < CONNECTIONS; ++i) connect_one(stack, epoll, &clients[i]);
  while (left > 0) {
    count = qst_epoll_wait(stack, epoll, events, 64, 10000);
    if (count <= 0) fail("qst_epoll_wait");
    for (i = 0; i < count; ++i) {
      struct client *client = events[i].data.ptr;
      if (events[i].events & EPOLLERR) fail("a connection broke");
      if (events[i].events & EPOLLOUT) write_all(stack, clients, client);
      if ((events[i].events & EPOLLIN) && read_all(stack, clients, client)) {
        qst_close(stack, client->fd);
        bytes += client->received;
        --left;
      }
    }
  }
  printf("echoed %llu bytes over %d connections\n", bytes, CONNECTIONS);
}

int main(void) {
  qst_config configs[2];
  qst_stack *stacks[2];
  struct server server;
  pthread_t thread;
  qst_config_init(&configs[0]);
  qst_config_init(&configs[1]);
  configs[0].ipv4 = "10.0.0.1/24";
  configs[1].ipv4 = "10.0.0.2/24";
  if (qst_create_pair(&configs[0], &configs[1], stacks) != 0) {
    fprintf(stderr, "qst_create_pair: %s\n", qst_error());
    return 1;
  }
  server.stack = stacks[0];
  server.listener = listen_on(stacks[0], PORT);
  if (pthread_create(&thread, NULL, serve_all, &server) != 0) return 1;
  run_clients(stacks[1]);
  qst_destroy(stacks[1]);
  pthread_join(thread, NULL);
  qst_destroy(stacks[0]);
  return 0;
}
