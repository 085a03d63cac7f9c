// The door before DPDK's memif socket: what passes, and what DPDK never gets to see.
#include "native/port/memif_door.hh"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace qstack;

namespace {

/// A socket of a test, closed with it.
struct Socket {
  int fd = -1;
  explicit Socket(int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0)) : fd(descriptor) {}
  ~Socket() { leave(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket(Socket&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  void leave() {
    if (fd >= 0) close(fd);
    fd = -1;
  }

  bool say(const char* text) const { return send(fd, text, std::strlen(text), MSG_NOSIGNAL) >= 0; }
  /// "" when nothing is there, "(end)" when the other side is gone.
  std::string hear() const {
    char bytes[64];
    const ssize_t length = recv(fd, bytes, sizeof(bytes), 0);
    if (length < 0) return errno == EAGAIN ? "" : "(end)";
    return length == 0 ? "(end)" : std::string(bytes, static_cast<size_t>(length));
  }
};

sockaddr_un at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  return address;
}

/// A door, and behind it a listener in DPDK's place, with DPDK's short queue.
struct House {
  std::string folder;
  std::string path;
  std::optional<MemifDoor> door;
  Socket listener;

  House() {
    char name[] = "/tmp/qstack-door-XXXXXX";
    folder = mkdtemp(name);
    path = folder + "/memif";
    door.emplace(path);
    const sockaddr_un address = at(MemifDoor::behind(path));
    REQUIRE(bind(listener.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(listen(listener.fd, 1) == 0);
  }
  ~House() {
    door.reset();
    std::filesystem::remove_all(folder);
  }

  Socket client() const {
    Socket made;
    const sockaddr_un address = at(path);
    REQUIRE(connect(made.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    return made;
  }
  /// -1: nobody wants to be let in.
  Socket let_in() const { return Socket(accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK)); }
};

void send_descriptor(const Socket& from, int fd) {
  char byte = 'd';
  iovec piece{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(part), &fd, sizeof(fd));
  REQUIRE(sendmsg(from.fd, &message, 0) == 1);
}

int receive_descriptor(const Socket& to) {
  char byte = 0;
  iovec piece{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  REQUIRE(recvmsg(to.fd, &message, 0) == 1);
  const cmsghdr* const part = CMSG_FIRSTHDR(&message);
  REQUIRE(part != nullptr);
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(part), sizeof(fd));
  return fd;
}

size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

TEST_CASE("messages pass both ways, each as a whole and in order") {
  House house;
  const Socket client = house.client();
  house.door->step();
  const Socket server = house.let_in();
  REQUIRE(server.fd >= 0);
  CHECK(server.say("hello"));
  CHECK(client.say("one"));
  CHECK(client.say("two"));
  house.door->step();
  CHECK(client.hear() == "hello");
  CHECK(client.hear() == "");
  CHECK(server.hear() == "one");
  CHECK(server.hear() == "two");
}

TEST_CASE("a descriptor passes with its message, and the door keeps none") {
  House house;
  const Socket client = house.client();
  house.door->step();
  const Socket server = house.let_in();
  const size_t before = open_descriptors();
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  send_descriptor(client, pipe_ends[1]);
  house.door->step();
  const int received = receive_descriptor(server);
  CHECK(write(received, "x", 1) == 1);
  char byte = 0;
  CHECK(read(pipe_ends[0], &byte, 1) == 1);
  CHECK(byte == 'x');
  for (const int fd : {received, pipe_ends[0], pipe_ends[1]}) close(fd);
  CHECK(open_descriptors() == before);
}

TEST_CASE("who is gone before it is let in never reaches the server") {
  House house;
  for (int i = 0; i < 50; ++i) house.client().leave();
  const size_t before = open_descriptors();
  house.door->step();
  CHECK(house.let_in().fd < 0);
  CHECK(open_descriptors() == before);
}

TEST_CASE("who leaves before the server's hello: the hello finds somebody, and the end comes behind it") {
  House house;
  Socket client = house.client();
  house.door->step();
  const Socket server = house.let_in();
  REQUIRE(server.fd >= 0);
  client.leave();
  for (int i = 0; i < 3; ++i) house.door->step();
  CHECK(server.hear() == "");
  CHECK(server.say("hello"));
  house.door->step();
  CHECK(server.hear() == "(end)");
}

TEST_CASE("a client that is killed later is gone for the server in the next step, and a server for its client") {
  House house;
  Socket client = house.client();
  house.door->step();
  Socket server = house.let_in();
  server.say("hello");
  house.door->step();
  client.leave();
  house.door->step();
  CHECK(server.hear() == "(end)");

  const Socket second = house.client();
  house.door->step();
  house.let_in().leave();
  house.door->step();
  CHECK(second.hear() == "(end)");
}

TEST_CASE("a server whose queue is full, or that is slow, is asked again until it lets in") {
  House house;
  std::vector<Socket> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(house.client());
  std::vector<Socket> servers;
  for (int i = 0; i < 20 && servers.size() < clients.size(); ++i) {
    house.door->step();
    Socket server = house.let_in();
    if (server.fd >= 0) servers.push_back(std::move(server));
  }
  REQUIRE(servers.size() == clients.size());
  for (const Socket& server : servers) CHECK(server.say("hello"));
  house.door->step();
  for (const Socket& client : clients) CHECK(client.hear() == "hello");
}

TEST_CASE("what is larger than any message of memif ends the visit") {
  House house;
  const Socket client = house.client();
  house.door->step();
  const Socket server = house.let_in();
  server.say("hello");
  CHECK(client.say(std::string(600, 'x').c_str()));
  house.door->step();
  CHECK(server.hear() == "(end)");
}

TEST_CASE("a path that is in use or too long is refused, and the door takes its sockets with it") {
  House house;
  CHECK_THROWS_AS(MemifDoor door(house.path), std::runtime_error);
  CHECK_THROWS_AS(MemifDoor door(house.folder + "/" + std::string(108, 'x')), std::runtime_error);
  CHECK(std::filesystem::exists(house.path));
  CHECK(std::filesystem::exists(MemifDoor::behind(house.path)));
  house.door.reset();
  CHECK_FALSE(std::filesystem::exists(house.path));
  CHECK_FALSE(std::filesystem::exists(MemifDoor::behind(house.path)));
}
