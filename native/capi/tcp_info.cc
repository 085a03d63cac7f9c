// TCP_INFO as Linux lays it out, from what the stack knows of a connection. What it does not know is 0.
#include <linux/tcp.h>

#include "native/capi/sockets.hh"

namespace qstack::capi {

namespace {

/// The numbers of Linux, in the order of abi::ConnectionState.
constexpr uint8_t kStates[] = {7, 2, 3, 1, 4, 5, 8, 11, 9};
constexpr uint8_t kListen = 10, kClose = 7;

/// Zeros where the sums are not kept.
void describe_sums(const TcpInfo& in, tcp_info& out) {
  out.tcpi_bytes_sent = in.bytes_sent;
  out.tcpi_bytes_retrans = in.bytes_retrans;
  out.tcpi_bytes_acked = in.bytes_acked;
  out.tcpi_bytes_received = in.bytes_received;
  out.tcpi_segs_out = in.segs_out;
  out.tcpi_segs_in = in.segs_in;
  out.tcpi_data_segs_out = in.data_segs_out;
  out.tcpi_data_segs_in = in.data_segs_in;
  out.tcpi_delivered = in.delivered;
  out.tcpi_delivered_ce = in.delivered_ce;
  out.tcpi_dsack_dups = in.dsack_dups;
  out.tcpi_reord_seen = in.reord_seen;
  out.tcpi_rcv_ooopack = in.rcv_ooopack;
}

uint32_t known(uint32_t value) { return value == kInfoUnknown ? 0 : value; }

tcp_info describe(const TcpInfo& in) {
  tcp_info out{};
  out.tcpi_state = kStates[in.state];
  out.tcpi_ca_state = in.ca_state;
  out.tcpi_retransmits = in.retransmits;
  out.tcpi_probes = in.probes;
  out.tcpi_backoff = in.backoff;
  out.tcpi_options = in.options;
  out.tcpi_snd_wscale = in.snd_wscale & 15;
  out.tcpi_rcv_wscale = in.rcv_wscale & 15;
  out.tcpi_rto = in.rto_us;
  out.tcpi_ato = in.ato_us;
  out.tcpi_snd_mss = in.snd_mss;
  out.tcpi_unacked = in.unacked;
  out.tcpi_sacked = in.sacked;
  out.tcpi_lost = in.lost;
  out.tcpi_retrans = in.retrans;
  out.tcpi_last_data_sent = known(in.last_data_sent_ms);
  out.tcpi_last_data_recv = in.sums != 0 ? in.last_data_recv_ms : in.last_recv_ms;
  out.tcpi_last_ack_recv = in.sums != 0 ? in.last_ack_recv_ms : in.last_recv_ms;
  out.tcpi_pmtu = in.pmtu;
  out.tcpi_rtt = in.rtt_us;
  out.tcpi_rttvar = in.rttvar_us;
  out.tcpi_snd_ssthresh = in.snd_ssthresh == kInfoUnknown ? 0x7fffffff : in.snd_ssthresh;
  out.tcpi_snd_cwnd = in.snd_cwnd;
  out.tcpi_advmss = in.advmss;
  out.tcpi_rcv_space = in.rcv_wnd;
  out.tcpi_total_retrans = in.total_retrans;
  out.tcpi_pacing_rate = in.pacing_rate == 0 ? ~0ull : in.pacing_rate;
  out.tcpi_max_pacing_rate = ~0ull;
  out.tcpi_notsent_bytes = in.notsent_bytes;
  out.tcpi_min_rtt = known(in.min_rtt_us);
  out.tcpi_delivery_rate = known(in.delivery_rate);
  out.tcpi_snd_wnd = in.snd_wnd;
  describe_sums(in, out);
  return out;
}

}  // namespace

/// Of a listening socket: the connections that wait, and how many may.
long Sockets::get_tcp_info(const Socket& socket, void* value, socklen_t* length) const {
  tcp_info out{};
  out.tcpi_state = socket.state == SocketState::listening ? kListen : kClose;
  out.tcpi_unacked = socket.waiting;
  out.tcpi_sacked = socket.backlog;
  if (const auto info = stack_->info(socket.handle)) out = describe(*info);
  return give_option(&out, sizeof(out), value, length);
}

}  // namespace qstack::capi
