// FlowMap: the connections that one shard follows, and their requests that have no response yet. All memory at the start.
//
//   buckets ─▶ flow ─▶ flow …            (chains by hash)
//   oldest ◀─▶ flow ◀─▶ … ◀─▶ newest     (by the last segment: who is idle, and who goes when a place is wanted)
//   flow ─▶ request ─▶ request …         (in the order of the wire)
//
// In: keys from the wire, so the hash has a secret. Invariant: a flow or a request is in exactly one list, or free.
#pragma once

#include <array>
#include <vector>

#include "native/monitor/segment.hh"
#include "native/monitor/stream.hh"

namespace qstack::monitor {

/// A connection, whoever sends.
struct FlowName {
  IpAddress client, server;
  uint16_t client_port = 0, server_port = 0;
  friend bool operator==(const FlowName&, const FlowName&) = default;
};

uint64_t hash_flow_name(const FlowName& name, const std::array<uint64_t, 2>& secret);

/// One way of a connection.
struct Side {
  Stream stream;
  Seq boundary = 0;    ///< where the next message begins
  bool framed = false;  ///< `boundary` is known
  bool going_on = false;  ///< the next segment belongs to the last message
  bool ended = false;   ///< FIN was seen
};

struct Flow {
  FlowName name;
  uint64_t hash = 0;
  Side request, response;
  Nanos last = 0;
  uint32_t chained = kNoIndex;  ///< next in the bucket, or in the list of free ones
  uint32_t older = kNoIndex, newer = kNoIndex;
  uint32_t first_request = kNoIndex, last_request = kNoIndex;
  uint32_t requests = 0;   ///< without a response
  uint32_t interval = 0;   ///< in which it sent a request, counted from 1
};

struct Request {
  Nanos time = 0;
  Seq end = 0;
  uint32_t next = kNoIndex;
  uint32_t number = 0;  ///< the generator's counter
  uint8_t level = 0;
};

class FlowMap {
 public:
  FlowMap(uint32_t flows, uint32_t requests);

  /// kNoIndex: not there.
  uint32_t find(const FlowName& name, uint64_t hash) const;
  /// It is the newest from now on. Precondition: not full().
  uint32_t insert(const FlowName& name, uint64_t hash);
  /// It must have no requests any more.
  void erase(uint32_t flow);
  void make_newest(uint32_t flow);
  bool full() const { return free_flows_ == kNoIndex; }
  uint32_t oldest() const { return oldest_; }
  uint32_t size() const { return size_; }
  Flow& at(uint32_t flow) { return flows_[flow]; }

  /// Null: there is no room.
  Request* add_request(Flow& flow);
  Request& request(uint32_t index) { return requests_[index]; }
  /// `before` precedes it in the flow's list; kNoIndex where it is the first.
  void remove_request(Flow& flow, uint32_t before, uint32_t index);

 private:
  void unlink_age(Flow& flow);
  void link_newest(uint32_t index);

  std::vector<Flow> flows_;
  std::vector<Request> requests_;
  std::vector<uint32_t> buckets_;
  uint32_t free_flows_ = kNoIndex, free_requests_ = kNoIndex;
  uint32_t oldest_ = kNoIndex, newest_ = kNoIndex;
  uint32_t size_ = 0;
};

}  // namespace qstack::monitor
