// Frames by libpcap: of a file (pcap, pcapng; "-" is standard input), or of an interface, which is put into promiscuous mode.
//
// An interface needs CAP_NET_RAW. Times are those of the file or the kernel, in nanoseconds. Frames of other links than
// Ethernet are refused.
#pragma once

#include <memory>
#include <string>

#include "native/monitor/source.hh"

struct pcap;

namespace qstack::monitor {

class PcapSource : public Source {
 public:
  int read(const FrameSink& sink) override;

 protected:
  PcapSource();
  ~PcapSource() override;
  void use(pcap* capture, const std::string& name);
  pcap* capture() { return capture_.get(); }

 private:
  struct Close {
    void operator()(pcap* capture) const;
  };
  std::unique_ptr<pcap, Close> capture_;
};

class FileSource final : public PcapSource {
 public:
  explicit FileSource(std::string path) : path_(std::move(path)) {}
  void open() override;
  bool rest(int) override { return false; }
  bool patient() const override { return true; }

 private:
  std::string path_;
};

class InterfaceSource final : public PcapSource {
 public:
  InterfaceSource(std::string name, uint32_t snapshot) : name_(std::move(name)), snapshot_(snapshot) {}
  void open() override;
  bool rest(int got) override;
  uint64_t missed() override;

 private:
  std::string name_;
  uint32_t snapshot_;
};

}  // namespace qstack::monitor
