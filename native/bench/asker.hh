// Asker: what the generators of one request per reply have in common: a request of kRequest bytes on each connection whose turn
// it is, and the answers of a turn.
//
// In: App events; ask() between two turns. Out: answers_ for whoever derives from it, asked() for each request that left.
#pragma once

#include <deque>
#include <vector>

#include "native/bench/echo_server.hh"
#include "native/bench/window.hh"
#include "native/mcc/histogram.hh"

namespace qstack::bench {

/// An open that fails is tried again after this: the server may not be there yet.
inline constexpr Nanos kOpenRetry = 20'000'000;

class Asker : public App {
 public:
  void attach(Stack& stack) { stack_ = &stack; }

  bool done() const { return window_.over(); }
  const Window& window() const { return window_; }
  const mcc::Histogram& latencies() const { return latencies_; }
  /// From a SYN to its answer; empty where nobody measures it.
  const mcc::Histogram& opens() const { return open_latencies_; }
  uint32_t lost() const { return lost_; }

  bool message(const Message& event) override;
  bool ended(Handle) override { return true; }
  bool drained(Handle, uint32_t) override { return true; }

 protected:
  struct Answer {
    Handle handle;
    Packet* packet;
    uint16_t length;
  };

  Asker(PacketPool& tx, Window window) : window_(window), tx_(tx) {}

  /// A request on each waiting connection, as long as there are packets and room. Returns how many.
  uint32_t ask(Nanos now);
  virtual void asked(Handle, Nanos) {}
  /// Of the connections that it opens: a reply is a message.
  static ListenerConfig framing();

  Stack* stack_ = nullptr;
  Window window_;
  mcc::Histogram latencies_, open_latencies_;
  std::vector<Answer> answers_;
  std::deque<Handle> waiting_;  ///< connections whose request is due
  uint64_t answered_ = 0;
  uint32_t lost_ = 0;

 private:
  PacketPool& tx_;
};

}  // namespace qstack::bench
