// A small server for tests of the generator: a real stack whose app answers every message as iotepserver does.
// In: turns. Out: replies of 146 bytes; it may be told to keep silent, or to answer twice.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "native/stack/stack.hh"

namespace qstack::test {

inline constexpr uint32_t kServer = 0x0a000001, kClient = 0x0a000101;

inline StackConfig stack_config(uint32_t address, uint32_t addresses, uint8_t mac) {
  StackConfig config;
  config.ip.address = address;
  config.ip.address_count = addresses;
  config.ip.mac = MacAddress{{2, 0, 0, 0, 0, mac}};
  config.tcp.connections = 600;
  config.tcp.levels = 2;
  config.tcp.secret = {1, 2, 3, mac};
  return config;
}

/// Answers every message as iotepserver does; may hold back replies or answer twice.
class Server final : public App {
 public:
  Server(Port& port, PacketPool& rx, PacketPool& tx)
      : tx_(tx), stack_(stack_config(kServer, 1, 1), port, rx, tx, *this) {
    ListenerConfig listener;
    listener.port = 80;
    listener.framing = Framing::segment;
    stack_.listen(listener);
  }

  uint32_t turn(Nanos now) {
    now_ = now;
    uint32_t work = stack_.turn(now);
    for (Handle handle : ended_) stack_.close(handle, now);
    ended_.clear();
    return work;
  }

  bool opened(const Opened&) override { return true; }
  bool message(const Message& event) override {
    uint32_t counter;
    std::memcpy(&counter, event.packet->data + event.offset, 4);
    bytes += event.length;
    ++messages;
    stack_.release(event.handle, event.packet, event.length, now_);
    if (answering) reply(event.handle, counter);
    if (answering && doubling) reply(event.handle, counter);
    return true;
  }
  bool ended(Handle handle) override {
    ended_.push_back(handle);
    return true;
  }
  bool closed(Handle, CloseReason) override { return ++closes, true; }
  bool drained(Handle, uint32_t) override { return true; }

  uint64_t messages = 0, bytes = 0, closes = 0;
  bool answering = true, doubling = false;

 private:
  void reply(Handle handle, uint32_t counter) {
    Packet* packet = tx_.allocate();
    REQUIRE(packet != nullptr);
    char text[147];
    std::memset(text, 0, sizeof(text));
    std::memcpy(text,
                "HTTP/1\x03"
                "1 200 OK",
                15);
    std::snprintf(text + 126, 9, "%08x", counter);
    packet->data = PacketRegion::payload_start(packet);
    packet->payload = 0;
    packet->payload_length = 146;
    packet->level = 0;
    std::memcpy(packet->data, text, 146);
    stack_.send(handle, packet, now_);
  }

  PacketPool& tx_;
  Stack stack_;
  std::vector<Handle> ended_;
  Nanos now_ = 0;
};

}  // namespace qstack::test
