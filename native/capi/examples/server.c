/*
 * server.c: an echo server on a device, one connection after the other, with calls that wait.
 *
 * In: a device ("tap:q0", "af_packet:veth1", "memif:PATH?role=server"), the stack's address with its prefix, a port.
 * Out: "listening" when it does; it serves until SIGINT or SIGTERM, and then says how many bytes it has echoed.
 * Build: cc -std=c99 server.c $(pkg-config --cflags --libs qstack) -o server
 */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qstack.h"

static qst_stack *stack;
static volatile sig_atomic_t stopped;

static void stop(int number) {
  (void)number;
  stopped = 1;
  qst_interrupt(stack);
}

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  qst_destroy(stack);
  return 1;
}

/* Bytes echoed over one connection. */
static unsigned long long serve(int fd) {
  static char bytes[65536];
  unsigned long long sum = 0;
  ssize_t n;
  while ((n = qst_read(stack, fd, bytes, sizeof(bytes))) > 0) {
    n = qst_write(stack, fd, bytes, (size_t)n);
    if (n < 0) break;
    sum += (unsigned long long)n;
  }
  qst_close(stack, fd);
  return sum;
}

int main(int count, char **arguments) {
  struct sockaddr_in address;
  unsigned long long bytes = 0;
  qst_config config;
  int listener, fd;
  if (count != 4) {
    fprintf(stderr, "server DEVICE ADDRESS/PREFIX PORT, such as: server tap:q0 10.0.0.1/24 7\n");
    return 2;
  }
  qst_config_init(&config);
  config.device = arguments[1];
  config.ipv4 = arguments[2];
  stack = qst_create(&config);
  if (stack == NULL) {
    fprintf(stderr, "%s\n", qst_error());
    return 1;
  }
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)atoi(arguments[3]));
  listener = qst_socket(stack, AF_INET, SOCK_STREAM, 0);
  if (qst_bind(stack, listener, (struct sockaddr *)&address, sizeof(address)) != 0) return fail("qst_bind");
  if (qst_listen(stack, listener, 16) != 0) return fail("qst_listen");
  printf("listening\n");
  fflush(stdout);
  while (!stopped && (fd = qst_accept(stack, listener, NULL, NULL)) >= 0) bytes += serve(fd);
  if (!stopped) return fail("qst_accept");
  printf("echoed %llu bytes\n", bytes);
  qst_destroy(stack);
  return 0;
}
