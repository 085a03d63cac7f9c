/*
 * qstack.h: the C API of qstack, TCP over IPv4 and IPv6 at user level, in the shape of POSIX sockets.
 *
 * A `qst_stack` is one TCP/IP stack with its addresses, its sockets and one device. Every call names the stack it is
 * about; descriptors are numbers of that stack, beginning at QST_FD_FIRST, and mean nothing to the kernel.
 *
 * Threads. A stack is used by one thread at a time, and has none of its own: it runs inside the calls. qst_poll(),
 * qst_epoll_wait(), qst_turn() and every call that finds nothing to do at first (a read without data, a write without
 * room, an accept without a connection) take a turn: frames are received and answered, timers fire, what was written
 * leaves. A program that computes for longer than some milliseconds calls qst_turn() in between. Any number of stacks may
 * live in one process, each in its thread or several in one. Only qst_interrupt() may be called from anywhere.
 *
 * Errors. Calls return -1 and set errno as POSIX and Linux do; qst_create() and qst_create_pair() also leave a sentence,
 * see qst_error(). No signal is ever sent: a write to a connection that cannot be written to fails with EPIPE. No C++
 * exception leaves the library.
 *
 * Units. Sizes are bytes, times are milliseconds unless a name says otherwise, clocks are nanoseconds. Addresses of
 * sockets are struct sockaddr_in and struct sockaddr_in6 in network byte order; text has the usual forms.
 *
 * Only stream sockets exist: SOCK_DGRAM is EPROTONOSUPPORT. There is no loopback: a stack cannot connect to itself.
 *
 * Source: RFC 9293 (TCP), POSIX.1-2017 (sockets), Linux man pages (epoll, accept4, TCP_ options). docs/c-api.md explains
 * each call with an example.
 */
#ifndef QSTACK_H
#define QSTACK_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#if defined(__GNUC__)
#define QST_API __attribute__((visibility("default")))
#else
#define QST_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The lowest descriptor: above every number that the kernel gives to a file. */
#define QST_FD_FIRST 0x40000000

typedef struct qst_stack qst_stack;

/* Where the time of a stack comes from. */
enum qst_clock_source {
  QST_CLOCK_MONOTONIC = 0, /* CLOCK_MONOTONIC */
  QST_CLOCK_MANUAL = 1     /* qst_set_clock(): the stack knows no other time */
};

/* What qst_netdev_send() and qst_netdev_receive() carry. */
enum qst_netdev_layer {
  QST_NETDEV_ETHERNET = 0, /* Ethernet frames; the other side answers ARP and NDP, or is named in `neighbors` */
  QST_NETDEV_IP = 1        /* IP packets: no Ethernet, ARP or NDP is to be seen; every destination is reachable */
};

/* A neighbour that is known without asking. */
typedef struct qst_neighbor {
  const char *address; /* "10.0.0.2" or "fe80::2" */
  const char *mac;     /* "02:00:00:00:00:02" */
} qst_neighbor;

/*
 * What a stack is made from. Fill it by qst_config_init(), then change what differs. 0 and NULL mean the default that
 * stands in brackets. Texts are read by qst_create() and not kept.
 */
typedef struct qst_config {
  size_t size; /* of this struct, set by qst_config_init() */

  /* The device: "memif:PATH", "memif:PATH?role=server", "tap:NAME", "af_packet:INTERFACE", or a device string of DPDK.
   * NULL: none, frames go in and out by qst_netdev_send() and qst_netdev_receive(). Ignored by qst_create_pair(). */
  const char *device;
  const char *ipv4;         /* "10.0.0.1/24"; NULL: no IPv4 */
  const char *ipv4_gateway; /* "10.0.0.254" */
  const char *ipv6;         /* "fd00::1/64"; NULL: no IPv6 */
  const char *ipv6_gateway;
  const char *mac; /* [made from the address] */
  const qst_neighbor *neighbors;
  size_t neighbor_count;
  uint32_t mtu; /* of an IP packet, 576 to 1500 [1500] */

  /* Memory, all of it taken at the start. A call that needs more than there is fails with EMFILE or ENOBUFS. */
  uint32_t sockets;        /* descriptors of sockets, and as many connections that wait for accept [1024] */
  uint32_t epolls;         /* descriptors of qst_epoll_create() [64] */
  uint32_t epoll_interests; /* sockets that all of these watch together [2 * sockets] */
  uint32_t half_open;      /* passive opens under way; beyond them SYN cookies are sent [1024] */
  uint32_t time_wait;      /* connections that are remembered in TIME-WAIT [4096] */
  uint32_t rx_packets;     /* packets of 1,664 bytes of payload, received and not read yet [16384] */
  uint32_t tx_packets;     /* ... written and not acknowledged yet [16384] */
  uint32_t receive_buffer; /* of one connection: the window that is offered [65536] */
  uint32_t send_buffer;    /* of one connection: bytes that are not acknowledged yet [262144] */

  /* TCP. */
  uint32_t rto_min_ms;       /* [200] */
  uint32_t rto_max_ms;       /* [60000] */
  uint32_t time_wait_ms;     /* [60000] */
  uint32_t retries_max;      /* retransmissions of one segment [15] */
  uint32_t syn_retries_max;  /* [7] */
  const char *congestion;    /* "cubic", "newreno" or "dctcp" ["cubic"] */
  int delayed_ack_ms;        /* -1: every segment is acknowledged at once [40] */
  int no_timestamps;         /* not 0: RFC 7323 timestamps are not offered */
  int no_sack;               /* not 0: RFC 2018 SACK is not offered */
  int no_ecn;                /* not 0: RFC 3168 ECN is not agreed to */

  /* Time and chance. */
  enum qst_clock_source clock; /* [QST_CLOCK_MONOTONIC] */
  uint64_t seed; /* sequence numbers, ports and hashes come from it: two runs with one seed are the same. Never use it
                    where strangers can reach the stack [0: unguessable numbers from the kernel] */
  enum qst_netdev_layer netdev_layer; /* [QST_NETDEV_ETHERNET] */

  /* Called by a call that has to wait, instead of resting the thread: it moves frames, time or another stack on. It may
   * call qst_netdev_send(), qst_netdev_receive(), qst_set_clock(), and everything of another stack. `deadline_ns` is the
   * time of the stack at which the call gives up, UINT64_MAX: never. It returns 0 to go on, or an errno with which the
   * call fails. With QST_CLOCK_MANUAL and without this function no call waits: they fail with EAGAIN (connect:
   * EINPROGRESS), and qst_poll() and qst_epoll_wait() return 0. */
  int (*wait)(void *argument, uint64_t deadline_ns);
  void *wait_argument;
} qst_config;

/* Sets every field to its default. */
QST_API void qst_config_init(qst_config *config);

/*
 * Makes a stack. NULL with errno: EINVAL a field is wrong, ENOMEM, EIO the device cannot be made, EOPNOTSUPP this library
 * was built without DPDK. The first stack with a device starts DPDK, which a process can do only once. The stack is freed by
 * qst_destroy().
 */
QST_API qst_stack *qst_create(const qst_config *config);

/*
 * Makes two stacks joined by rings in memory, for one thread or one each. 0, or -1 with errno as qst_create(). Each is freed
 * by qst_destroy(), in any order.
 */
QST_API int qst_create_pair(const qst_config *first, const qst_config *second, qst_stack *stacks[2]);

/* Resets every connection that is left, and frees everything. NULL is allowed. */
QST_API void qst_destroy(qst_stack *stack);

/* Why the last qst_create() or qst_create_pair() of this thread failed: a sentence, valid until the next one. */
QST_API const char *qst_error(void);

/* "0.1.0" */
QST_API const char *qst_version(void);

/* ---- Turns and time ---- */

/* One turn. The number of packets and timers handled: 0 when there was nothing to do. */
QST_API int qst_turn(qst_stack *stack);

/* Time of the stack in nanoseconds: CLOCK_MONOTONIC, or what was set last. */
QST_API uint64_t qst_clock(qst_stack *stack);

/* Sets the time of a stack with QST_CLOCK_MANUAL, which begins at 0. It never goes back. EINVAL otherwise. Nothing
 * happens before the next turn. TCP's timers have a tick of 1 ms. */
QST_API int qst_set_clock(qst_stack *stack, uint64_t now_ns);

/* Makes the call that waits now, or else the next one that would, fail with EINTR. For another thread or a signal handler. */
QST_API void qst_interrupt(qst_stack *stack);

/* A counter of the stack by its name, such as "retransmits" (docs/c-api.md lists them). EINVAL: there is none. */
QST_API int qst_counter(qst_stack *stack, const char *name, uint64_t *value);

/* ---- Frames, for a stack without a device ---- */

/* A frame for the stack; it is handled in the next turn. EMSGSIZE: larger than the MTU allows, EINVAL: empty or not an IP
 * packet, EAGAIN: 1,024 frames or no packet left, EOPNOTSUPP: the stack has a device. */
QST_API int qst_netdev_send(qst_stack *stack, const void *frame, size_t length);

/* The oldest frame that the stack has sent: its length, and its first bytes in `buffer`. EAGAIN: none, EMSGSIZE: `length` is
 * too small, and the frame stays; EOPNOTSUPP. 1,514 bytes are always enough. */
QST_API ssize_t qst_netdev_receive(qst_stack *stack, void *buffer, size_t length);

/* ---- Sockets: as the POSIX functions without the prefix. What differs is said here. ---- */

/* AF_INET or AF_INET6 (else EAFNOSUPPORT); SOCK_STREAM, with SOCK_NONBLOCK and SOCK_CLOEXEC (which means nothing here), else
 * EPROTONOSUPPORT; protocol 0 or IPPROTO_TCP. EMFILE, ENOBUFS. */
QST_API int qst_socket(qst_stack *stack, int domain, int type, int protocol);

/* Port 0 takes a free one. A socket of AF_INET6 at :: also serves IPv4 unless IPV6_V6ONLY is set. Connections in TIME-WAIT
 * never keep an address from being bound. EADDRINUSE, EADDRNOTAVAIL, EINVAL: bound already. */
QST_API int qst_bind(qst_stack *stack, int fd, const struct sockaddr *address, socklen_t length);

/* `backlog` connections wait for accept at most, 1 to the number of sockets; further ones are not completed. Again: changes it. */
QST_API int qst_listen(qst_stack *stack, int fd, int backlog);

/* EAGAIN, EMFILE, EINVAL: not listening. The new socket blocks, whatever the listening one does. */
QST_API int qst_accept(qst_stack *stack, int fd, struct sockaddr *address, socklen_t *length);
/* `flags`: SOCK_NONBLOCK, SOCK_CLOEXEC. */
QST_API int qst_accept4(qst_stack *stack, int fd, struct sockaddr *address, socklen_t *length, int flags);

/* EINPROGRESS, EALREADY, EISCONN, ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH: no answer to ARP or NDP, ENETUNREACH: no route,
 * EADDRNOTAVAIL: no port is free, ENOBUFS, EAFNOSUPPORT, EOPNOTSUPP: listening. */
QST_API int qst_connect(qst_stack *stack, int fd, const struct sockaddr *address, socklen_t length);

/* 0: the peer has ended its side. ENOTCONN, EAGAIN, ECONNRESET, ETIMEDOUT, EINTR. A read gives up a segment's memory, and
 * its bytes of the window, when the last byte of it was read. */
QST_API ssize_t qst_read(qst_stack *stack, int fd, void *buffer, size_t length);
QST_API ssize_t qst_readv(qst_stack *stack, int fd, const struct iovec *parts, int count);
/* `flags`: MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL; others EOPNOTSUPP. */
QST_API ssize_t qst_recv(qst_stack *stack, int fd, void *buffer, size_t length, int flags);
/* Fills `address` with the peer's, if it is not NULL. */
QST_API ssize_t qst_recvfrom(qst_stack *stack, int fd, void *buffer, size_t length, int flags, struct sockaddr *address,
                             socklen_t *address_length);

/* Bytes copied into packets, which leave with the next turn. A blocking write returns when all are copied, or after a fault
 * how many were. EPIPE, ENOTCONN, EAGAIN: the send buffer is full, or the stack's packets are used up. */
QST_API ssize_t qst_write(qst_stack *stack, int fd, const void *buffer, size_t length);
QST_API ssize_t qst_writev(qst_stack *stack, int fd, const struct iovec *parts, int count);
/* `flags`: MSG_DONTWAIT, MSG_NOSIGNAL; others EOPNOTSUPP. */
QST_API ssize_t qst_send(qst_stack *stack, int fd, const void *buffer, size_t length, int flags);
/* On a connected socket, with `address` NULL; otherwise EISCONN. */
QST_API ssize_t qst_sendto(qst_stack *stack, int fd, const void *buffer, size_t length, int flags,
                           const struct sockaddr *address, socklen_t address_length);

/* Sockets only: another descriptor gives POLLNVAL. `timeout` in milliseconds, -1: without end. Takes at least one turn. */
QST_API int qst_poll(qst_stack *stack, struct pollfd *sockets, nfds_t count, int timeout);

/* `size` is ignored, but for 0 and below: EINVAL. */
QST_API int qst_epoll_create(qst_stack *stack, int size);
/* Level and edge triggered (EPOLLET), EPOLLONESHOT, EPOLLRDHUP. Sockets only: EPERM for another epoll. EPOLLEXCLUSIVE is
 * EINVAL. EEXIST, ENOENT, ENOSPC. */
QST_API int qst_epoll_ctl(qst_stack *stack, int epoll, int operation, int fd, struct epoll_event *event);
/* Takes at least one turn, also when something is ready already. */
QST_API int qst_epoll_wait(qst_stack *stack, int epoll, struct epoll_event *events, int events_max, int timeout);

/* A connection whose received bytes were not all read is reset (RFC 1122 4.2.2.13), and so are those that wait for accept.
 * With SO_LINGER it waits, or resets at once; else the stack goes on sending what was written by itself, in later turns. */
QST_API int qst_close(qst_stack *stack, int fd);
/* SHUT_RD, SHUT_WR, SHUT_RDWR. After SHUT_RD what comes is acknowledged and thrown away. ENOTCONN, EINVAL. */
QST_API int qst_shutdown(qst_stack *stack, int fd, int how);

/* docs/c-api.md lists the options; every other is ENOPROTOOPT. */
QST_API int qst_getsockopt(qst_stack *stack, int fd, int level, int name, void *value, socklen_t *length);
QST_API int qst_setsockopt(qst_stack *stack, int fd, int level, int name, const void *value, socklen_t length);

/* F_GETFL, F_SETFL with O_NONBLOCK, F_GETFD, F_SETFD; others EINVAL. */
QST_API int qst_fcntl(qst_stack *stack, int fd, int command, ...);

QST_API int qst_getsockname(qst_stack *stack, int fd, struct sockaddr *address, socklen_t *length);
/* ENOTCONN also after the connection is over. */
QST_API int qst_getpeername(qst_stack *stack, int fd, struct sockaddr *address, socklen_t *length);

#ifdef __cplusplus
}
#endif

#endif
