/*
 * bulk.c: how fast one connection moves bytes through the C API, between two stacks in memory with a thread each.
 *
 * In: mebibytes to send [1024], bytes of one write [65536]. Out: one line of JSON. Both ends check length and every
 * piece's first byte; nothing is judged here.
 * Build: cc -std=c99 -O2 -pthread bulk.c $(pkg-config --cflags --libs qstack) -o bulk
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

enum { PORT = 5001, BUFFER = 1 << 20 };

static unsigned long long total, received;

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static struct sockaddr_in address_of(const char *text) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons(PORT);
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

static int listener;

static void listen_on(qst_stack *stack) {
  struct sockaddr_in address = address_of("0.0.0.0");
  listener = qst_socket(stack, AF_INET, SOCK_STREAM, 0);
  if (qst_bind(stack, listener, (struct sockaddr *)&address, sizeof(address)) != 0) fail("qst_bind");
  if (qst_listen(stack, listener, 1) != 0) fail("qst_listen");
}

static void *sink(void *argument) {
  static char bytes[BUFFER];
  qst_stack *stack = argument;
  ssize_t n;
  int fd = qst_accept(stack, listener, NULL, NULL);
  if (fd < 0) fail("qst_accept");
  while ((n = qst_read(stack, fd, bytes, sizeof(bytes))) > 0) {
    ssize_t i;
    for (i = 0; i < n; i += 509) {
      if (bytes[i] == (char)((received + (unsigned long long)i) % 251)) continue;
      fprintf(stderr, "a wrong byte came\n");
      exit(1);
    }
    received += (unsigned long long)n;
  }
  if (n < 0) fail("qst_read");
  qst_close(stack, fd);
  while (qst_turn(stack) > 0) continue;
  return NULL;
}

int main(int count, char **arguments) {
  static char bytes[BUFFER + 251];
  struct sockaddr_in address = address_of("10.0.0.1");
  unsigned long long mebibytes = count > 1 ? strtoull(arguments[1], NULL, 10) : 1024, sent = 0;
  size_t piece = count > 2 ? (size_t)strtoull(arguments[2], NULL, 10) : 65536, i;
  uint64_t started;
  double seconds;
  qst_config configs[2];
  qst_stack *stacks[2];
  pthread_t thread;
  int fd;
  if (mebibytes == 0 || piece == 0 || piece > BUFFER) {
    fprintf(stderr, "bulk [MEBIBYTES] [BYTES OF A WRITE, at most %d]\n", BUFFER);
    return 2;
  }
  total = mebibytes << 20;
  for (i = 0; i < sizeof(bytes); ++i) bytes[i] = (char)(i % 251);
  for (i = 0; i < 2; ++i) {
    qst_config_init(&configs[i]);
    configs[i].ipv4 = i == 0 ? "10.0.0.1/24" : "10.0.0.2/24";
    configs[i].receive_buffer = 1 << 20;
    configs[i].send_buffer = 1 << 20;
  }
  if (qst_create_pair(&configs[0], &configs[1], stacks) != 0) {
    fprintf(stderr, "qst_create_pair: %s\n", qst_error());
    return 1;
  }
  listen_on(stacks[0]);
  if (pthread_create(&thread, NULL, sink, stacks[0]) != 0) return 1;
  fd = qst_socket(stacks[1], AF_INET, SOCK_STREAM, 0);
  if (qst_connect(stacks[1], fd, (struct sockaddr *)&address, sizeof(address)) != 0) fail("qst_connect");
  started = qst_clock(stacks[1]);
  while (sent < total) {
    size_t length = total - sent < piece ? (size_t)(total - sent) : piece;
    ssize_t n = qst_write(stacks[1], fd, bytes + sent % 251, length);
    if (n < 0) fail("qst_write");
    sent += (unsigned long long)n;
  }
  qst_shutdown(stacks[1], fd, SHUT_WR);
  while (qst_read(stacks[1], fd, bytes, 1) > 0) continue; /* until the sink has read all */
  seconds = (double)(qst_clock(stacks[1]) - started) / 1e9;
  qst_destroy(stacks[1]);
  pthread_join(thread, NULL);
  qst_destroy(stacks[0]);
  printf("{\"bytes\":%llu,\"received\":%llu,\"write_bytes\":%lu,\"seconds\":%.3f,\"gbit_per_second\":%.2f}\n", total, received,
         (unsigned long)piece, seconds, (double)total * 8 / seconds / 1e9);
  return received == total ? 0 : 1;
}
