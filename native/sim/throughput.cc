#include "native/sim/throughput.hh"

#include "native/sim/world.hh"

namespace qstack::sim {
namespace {

HostPlan make_host(const Cell& cell, uint32_t number) {
  HostPlan host;
  TcpConfig& tcp = host.config.tcp;
  tcp.connections = tcp.busy = tcp.half_open = tcp.time_wait = 8;
  tcp.receive_buffer = 4'000'000;
  tcp.congestion = cell.congestion;
  tcp.ecn = cell.congestion == Congestion::dctcp ? EcnMode::on : EcnMode::off;
  tcp.secret = {cell.seed, number, 3, 4};
  host.rx_packets = 4'096;
  host.tx_packets = 8'192;
  host.delay_us = cell.rtt_us / 4;
  host.bytes_per_second = kLinkBytes;
  const uint64_t on_its_way = kLinkBytes * cell.rtt_us / 1'000'000;
  host.queue_bytes = static_cast<uint32_t>(std::max<uint64_t>(on_its_way, 65'536));
  if (cell.congestion == Congestion::dctcp) host.mark_bytes = std::max(host.queue_bytes / 4, 30'000u);
  return host;
}

Plan make_plan(const Cell& cell) {
  Plan plan;
  plan.seed = cell.seed;
  plan.start = 1'000'000'000;
  plan.faults_ms = kMeasuredMs;
  plan.hosts = {make_host(cell, 0), make_host(cell, 1)};
  TransferPlan t;
  t.side[0].bytes = UINT32_MAX;  // more than the link carries in that time
  t.side[0].burst = 4'096;
  t.side[0].unsent_max = 8'000'000;
  t.side[0].drains = true;
  plan.transfers = {t};
  if (cell.loss_ppm != 0) plan.faults = {{0, Feature::loss, 1, 0, kMeasuredMs, cell.loss_ppm, 0}};
  return plan;
}

}  // namespace

Measured measure_throughput(const Cell& cell, bool trace) {
  const Plan plan = make_plan(cell);
  World world(plan);
  world.ledger().set_trace(trace);
  world.run_faults();
  Measured measured;
  for (const Attempt& a : world.ledger().attempts())
    measured.bytes_per_second += static_cast<double>(a.side[1].delivered);
  measured.bytes_per_second *= 1e3 / kMeasuredMs;
  measured.counters = world.counters();
  measured.segments = world.segments();
  measured.broken = world.ledger().sentence();
  return measured;
}

}  // namespace qstack::sim
