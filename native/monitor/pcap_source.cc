#include "native/monitor/pcap_source.hh"

#include <pcap/pcap.h>
#include <poll.h>

namespace qstack::monitor {
namespace {

constexpr int kBurst = 256;
constexpr int kRestMs = 5;
/// What the kernel keeps while we are away: 20 ms of 10 Gbit/s.
constexpr int kKernelBuffer = 32 << 20;

struct Delivery {
  const FrameSink& sink;
};

void deliver(u_char* user, const pcap_pkthdr* header, const u_char* bytes) {
  // With nanosecond precision tv_usec holds nanoseconds.
  const Nanos time = static_cast<Nanos>(header->ts.tv_sec) * kSecond + static_cast<Nanos>(header->ts.tv_usec);
  reinterpret_cast<Delivery*>(user)->sink(time, header->len, {bytes, header->caplen});
}

[[noreturn]] void refuse(const std::string& name, const std::string& why) { throw std::runtime_error(name + ": " + why); }

std::string link_name(pcap* capture) {
  const char* const name = pcap_datalink_val_to_description(pcap_datalink(capture));
  return name == nullptr ? "link type " + std::to_string(pcap_datalink(capture)) : name;
}

}  // namespace

PcapSource::PcapSource() = default;
PcapSource::~PcapSource() = default;
void PcapSource::Close::operator()(pcap* capture) const { pcap_close(capture); }

void PcapSource::use(pcap* capture, const std::string& name) {
  capture_.reset(capture);
  if (pcap_datalink(capture) != DLT_EN10MB) {
    refuse(name, "the frames are of " + link_name(capture) + "; a capture of Ethernet is expected");
  }
}

int PcapSource::read(const FrameSink& sink) {
  Delivery delivery{sink};
  const int got = pcap_dispatch(capture(), kBurst, deliver, reinterpret_cast<u_char*>(&delivery));
  if (got < 0 && got != PCAP_ERROR_BREAK) throw std::runtime_error(pcap_geterr(capture()));
  return got == 0 && patient() ? -1 : got < 0 ? -1 : got;
}

void FileSource::open() {
  char fault[PCAP_ERRBUF_SIZE] = "";
  pcap_t* const opened = pcap_open_offline_with_tstamp_precision(path_.c_str(), PCAP_TSTAMP_PRECISION_NANO, fault);
  if (opened == nullptr) throw std::runtime_error(fault);
  use(opened, path_);
}

void InterfaceSource::open() {
  char fault[PCAP_ERRBUF_SIZE] = "";
  pcap_t* const made = pcap_create(name_.c_str(), fault);
  if (made == nullptr) refuse(name_, fault);
  pcap_set_snaplen(made, static_cast<int>(snapshot_));
  pcap_set_promisc(made, 1);
  pcap_set_immediate_mode(made, 1);
  pcap_set_buffer_size(made, kKernelBuffer);
  pcap_set_tstamp_precision(made, PCAP_TSTAMP_PRECISION_NANO);
  const int status = pcap_activate(made);
  if (status < 0) {
    const std::string said = pcap_geterr(made);
    const std::string why = said.empty() ? pcap_statustostr(status) : said;
    pcap_close(made);
    const bool denied = status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED;
    refuse(name_, denied ? "capturing needs CAP_NET_RAW (run as root, or `setcap cap_net_raw+ep` on node): " + why : why);
  }
  if (pcap_setnonblock(made, 1, fault) != 0) {
    pcap_close(made);
    refuse(name_, fault);
  }
  use(made, name_);
}

bool InterfaceSource::rest(int got) {
  if (got != 0) return false;
  pollfd waited{pcap_get_selectable_fd(capture()), POLLIN, 0};
  poll(&waited, 1, kRestMs);
  return true;
}

uint64_t InterfaceSource::missed() {
  pcap_stat stat{};
  return pcap_stats(capture(), &stat) == 0 ? uint64_t{stat.ps_drop} + stat.ps_ifdrop : 0;
}

}  // namespace qstack::monitor
