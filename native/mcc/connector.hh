// Connector: opens all connections in equal batches, and opens again what was refused or lost.
//
// In: opened and closed events, time. Out: connects. Those under way grow from `connecting_first` with every connection
// that stands (the first SYNs wait for ARP, and only a few can), up to `connecting_max`, so that the server's half-open
// pool is not flooded. A failed open rests `retry_ms` in a list threaded through the connections; one that was closed to be
// opened anew does not rest.
#pragma once

#include "native/mcc/connection.hh"
#include "native/mcc/network.hh"

namespace qstack::mcc {

struct ConnectorConfig {
  uint32_t batches = 1;  ///< one batch a second; 0 and 1: all at once
  uint32_t connecting_first = 2;
  uint32_t connecting_max = 1024;
  uint32_t retry_ms = 1000;
};

class Connector {
 public:
  Connector(const ConnectorConfig& config, ConnectionTable& table, const AddressPool& addresses, Network& network);

  void begin(Nanos now);
  /// Opens what is due, at most `budget`; returns how many.
  uint32_t step(Nanos now, uint32_t budget);
  /// The connection is open; false when the event names no connection that is being opened.
  bool opened(uint32_t number, Handle handle);
  /// An open failed or an open connection was lost: it will be opened again.
  void lost(uint32_t number, Nanos now);
  /// An open connection is being closed by the test, to be opened anew when it is closed: lost() is told then.
  void renew(uint32_t number);
  /// No more opens: the test ends.
  void stop() { stopped_ = true; }
  /// The connection left the open state by the test's own will.
  void left() { --connected_; }

  uint32_t connected() const { return connected_; }
  uint32_t connecting() const { return connecting_; }
  uint64_t retries() const { return retries_; }
  /// Lost connections.
  uint64_t reconnects() const { return reconnects_; }
  uint64_t renewals() const { return renewals_; }

 private:
  uint32_t allowed(Nanos now) const;
  uint32_t connecting_limit() const;
  /// Connections one behind the other, linked through Connection::oldest.
  struct List {
    uint32_t first = kNoIndex, last = kNoIndex;
  };
  bool retry_due(Nanos now) const;
  void push(List& list, uint32_t number);
  uint32_t pop(List& list);
  void rest(uint32_t number, Nanos now);
  void open(uint32_t number, Nanos now);

  ConnectorConfig config_;
  ConnectionTable& table_;
  const AddressPool& addresses_;
  Network& network_;
  Nanos start_ = 0;
  uint32_t started_ = 0;  ///< connections opened for the first time
  uint32_t connecting_ = 0, connected_ = 0;
  List resting_, again_;  ///< after a failure; without one
  uint64_t retries_ = 0, reconnects_ = 0, renewals_ = 0;
  bool begun_ = false, stopped_ = false;
};

}  // namespace qstack::mcc
