#include "native/classify/capture.hh"

#include <pcap/pcap.h>

#include <memory>

namespace qstack {

namespace {

std::string link_name(pcap_t* capture) {
  const char* const name = pcap_datalink_val_to_description(pcap_datalink(capture));
  return name == nullptr ? "link type " + std::to_string(pcap_datalink(capture)) : name;
}

}  // namespace

std::variant<std::vector<CapturedFrame>, std::string> read_capture(const std::string& path, uint32_t frames_max) {
  char fault[PCAP_ERRBUF_SIZE] = "";
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> capture(pcap_open_offline(path.c_str(), fault), pcap_close);
  if (capture == nullptr) return std::string(fault);
  if (pcap_datalink(capture.get()) != DLT_EN10MB) {
    return path + ": the frames are of " + link_name(capture.get()) + "; a capture of Ethernet is expected";
  }
  std::vector<CapturedFrame> frames;
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  while (frames.size() < frames_max) {
    const int got = pcap_next_ex(capture.get(), &header, &bytes);
    if (got == PCAP_ERROR_BREAK) break;
    if (got != 1) return path + ": " + pcap_geterr(capture.get());
    frames.push_back({{bytes, bytes + header->caplen},
                      header->len,
                      static_cast<int64_t>(header->ts.tv_sec),
                      static_cast<uint32_t>(header->ts.tv_usec)});
  }
  return frames;
}

}  // namespace qstack
