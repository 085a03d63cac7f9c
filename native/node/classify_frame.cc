#include "native/node/classify_frame.hh"

#include <algorithm>
#include <vector>

#include "native/classify/locate.hh"

namespace qstack::node {

uint8_t classify_frame(const Classifier& classifier, std::span<const uint8_t> frame) {
  std::vector<uint8_t> bytes(frame.begin(), frame.begin() + std::min<size_t>(frame.size(), UINT16_MAX));
  Packet packet{};
  packet.data = bytes.data();
  packet.length = static_cast<uint16_t>(bytes.size());
  locate_tcp(packet);
  return classifier.classify(packet);
}

}  // namespace qstack::node
