// listeners: several processes that listen on one port, for more connections than the limit of files lets one have.
//
// In: `PORT PROCESSES COMMAND…`; each process runs COMMAND with a socket of its own, which listens already, as file 3; the
// kernel shares connections out. COMMAND `hold` is this program's own: a server around epoll that accepts and keeps.
// Out: the line "ready" with the number of each process. They end with this one.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER = 3, EVENTS = 512, BACKLOG = 4096 };

static void fail(const char* what) {
  fprintf(stderr, "listeners: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void allow_many_files(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// What it accepts is reset when it is closed: nothing of it stays behind when a peer is gone already.
static int listen_on(int port) {
  const int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (bind(fd, (const struct sockaddr*)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0) fail("listen");
  return fd;
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

/// Only an end is expected of a connection.
static void hold(void) {
  struct epoll_event events[EVENTS];
  const int epoll = epoll_create1(0);
  watch(epoll, LISTENER);
  for (;;) {
    const int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd != LISTENER) {
        close(events[i].data.fd);
        continue;
      }
      int fd;
      while ((fd = accept4(LISTENER, NULL, NULL, SOCK_NONBLOCK)) >= 0) watch(epoll, fd);
      if (errno != EAGAIN) fail("accept");
    }
  }
}

/// Its lines go to stderr: "ready" is ours to say.
static void serve(int fd, char** command) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (fd != LISTENER && dup2(fd, LISTENER) < 0) fail("dup2");
  closefrom(LISTENER + 1);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  if (strcmp(command[0], "hold") == 0) hold();
  execvp(command[0], command);
  fail(command[0]);
}

int main(int count, char** words) {
  const int processes = count > 3 ? atoi(words[2]) : 0;
  if (processes < 1) {
    fputs("listeners PORT PROCESSES hold | listeners PORT PROCESSES COMMAND…\n", stderr);
    return 2;
  }
  allow_many_files();
  int* const fds = calloc((size_t)processes, sizeof *fds);
  int* const pids = calloc((size_t)processes, sizeof *pids);
  for (int i = 0; i < processes; ++i) fds[i] = listen_on(atoi(words[1]));
  for (int i = 0; i < processes; ++i) {
    if ((pids[i] = fork()) < 0) fail("fork");
    if (pids[i] == 0) serve(fds[i], words + 3);
  }
  for (int i = 0; i < processes; ++i) close(fds[i]);
  fputs("ready", stdout);
  for (int i = 0; i < processes; ++i) printf(" %d", pids[i]);
  puts("");
  fflush(stdout);
  for (;;) pause();
}
