#include "native/monitor/flow_map.hh"

#include <bit>

#include "native/wire/mix.hh"

namespace qstack::monitor {

uint64_t hash_flow_name(const FlowName& name, const std::array<uint64_t, 2>& secret) {
  const uint64_t ports = uint64_t{name.client_port} << 16 | name.server_port;
  uint64_t hash = mix_product(name.client.high ^ secret[0], name.client.low ^ secret[1]);
  hash = mix_product(hash ^ name.server.high, name.server.low ^ secret[0]);
  return mix_product(hash ^ ports, secret[1]);
}

FlowMap::FlowMap(uint32_t flows, uint32_t requests)
    : flows_(flows), requests_(requests), buckets_(std::bit_ceil(flows), kNoIndex) {
  for (uint32_t i = flows; i > 0; --i) {
    flows_[i - 1].chained = free_flows_;
    free_flows_ = i - 1;
  }
  for (uint32_t i = requests; i > 0; --i) {
    requests_[i - 1].next = free_requests_;
    free_requests_ = i - 1;
  }
}

uint32_t FlowMap::find(const FlowName& name, uint64_t hash) const {
  uint32_t index = buckets_[hash & (buckets_.size() - 1)];
  while (index != kNoIndex && !(flows_[index].hash == hash && flows_[index].name == name)) index = flows_[index].chained;
  return index;
}

uint32_t FlowMap::insert(const FlowName& name, uint64_t hash) {
  const uint32_t index = free_flows_;
  Flow& flow = flows_[index];
  free_flows_ = flow.chained;
  flow = Flow{};
  flow.name = name;
  flow.hash = hash;
  uint32_t& bucket = buckets_[hash & (buckets_.size() - 1)];
  flow.chained = bucket;
  bucket = index;
  link_newest(index);
  ++size_;
  return index;
}

void FlowMap::erase(uint32_t index) {
  Flow& flow = flows_[index];
  uint32_t* link = &buckets_[flow.hash & (buckets_.size() - 1)];
  while (*link != index) link = &flows_[*link].chained;
  *link = flow.chained;
  unlink_age(flow);
  flow.chained = free_flows_;
  free_flows_ = index;
  --size_;
}

void FlowMap::make_newest(uint32_t index) {
  if (index == newest_) return;
  unlink_age(flows_[index]);
  link_newest(index);
}

void FlowMap::unlink_age(Flow& flow) {
  (flow.older == kNoIndex ? oldest_ : flows_[flow.older].newer) = flow.newer;
  (flow.newer == kNoIndex ? newest_ : flows_[flow.newer].older) = flow.older;
}

void FlowMap::link_newest(uint32_t index) {
  Flow& flow = flows_[index];
  flow.older = newest_;
  flow.newer = kNoIndex;
  (newest_ == kNoIndex ? oldest_ : flows_[newest_].newer) = index;
  newest_ = index;
}

Request* FlowMap::add_request(Flow& flow) {
  if (free_requests_ == kNoIndex) return nullptr;
  const uint32_t index = free_requests_;
  Request& request = requests_[index];
  free_requests_ = request.next;
  request = Request{};
  (flow.last_request == kNoIndex ? flow.first_request : requests_[flow.last_request].next) = index;
  flow.last_request = index;
  ++flow.requests;
  return &request;
}

void FlowMap::remove_request(Flow& flow, uint32_t before, uint32_t index) {
  Request& request = requests_[index];
  (before == kNoIndex ? flow.first_request : requests_[before].next) = request.next;
  if (flow.last_request == index) flow.last_request = before;
  --flow.requests;
  request.next = free_requests_;
  free_requests_ = index;
}

}  // namespace qstack::monitor
