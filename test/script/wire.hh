// Wire: segments of a script made into frames for the stack, and the stack's frames made into segments of the script.
//
// In: segments in the script's numbers; frames. Out: the other. One Conversation per peer keeps what translates: where the
// stack's sequence numbers and timestamps begin, which both are secret until the first segment shows them. Payload is a
// pattern of its place in the stream, so that a byte in a wrong place is seen. Every frame of the stack is checked as a
// peer would: lengths, checksums, reserved bits, padding.
#pragma once

#include <map>

#include "native/port/pair_port.hh"
#include "test/script/script.hh"

namespace qstack::script {

/// The byte at `place` of a stream, in the script's sequence numbers.
constexpr uint8_t byte_at(Seq place) { return static_cast<uint8_t>(place * 31 + (place >> 8) * 7 + 5); }

/// What the stack sent, in live numbers; `fault` when no peer would take it.
struct Observed {
  Nanos at = 0;
  Endpoint peer, local;
  Segment segment;
  std::string payload;
  std::string fault;
};

class Wire {
 public:
  /// `peer_isn`: the live number of the peers' sequence number 0. `start`: when the script began.
  Wire(bool ipv6, Seq peer_isn, Nanos start) : ipv6_(ipv6), peer_isn_(peer_isn), start_(start) {}

  PairPort::Frame frame_of(const Segment& segment);
  PairPort::Frame frame_of(const Icmp& icmp);
  static Observed observe(const PairPort::Frame& frame, Nanos at);

  /// `observed` in the script's numbers. Where they are not known yet, `expected` gives them.
  Segment translate(const Observed& observed, const Segment* expected);
  /// The first place where the payload is not the pattern, if there is one.
  std::optional<Seq> wrong_byte(const Observed& observed) const;

  /// The stack opens a connection to `remote`, which becomes the default peer.
  void connecting(const Endpoint& remote);
  void listening(uint16_t port) { listen_port_ = port; }
  /// Who is meant by a line's peer, or by a line without one.
  Endpoint resolve(const std::optional<Endpoint>& peer) const;
  Seq peer_isn() const { return peer_isn_; }

 private:
  struct Conversation {
    Endpoint peer, local;
    std::optional<Seq> isn;           ///< live number of the stack's sequence number 0
    std::optional<uint32_t> ts_zero;  ///< live number of the stack's TSval 0
    std::optional<Seq> peer_syn;
    bool begins_anew = false;  ///< the peer's SYN has another number: the stack's next SYN shows a new start
  };
  struct Headers {
    IpAddress source, destination;
    uint8_t protocol;
    std::vector<uint8_t> options;
    uint8_t tos, ttl;
  };

  Conversation& conversation(const std::optional<Endpoint>& peer);
  Conversation& conversation_at(const Endpoint& peer);
  std::vector<uint8_t> options_of(const Segment& segment, const Conversation& c) const;
  static PairPort::Frame frame(const Headers& headers, const std::vector<uint8_t>& body);
  void learn(Conversation& c, const Observed& observed, const Segment* expected);

  bool ipv6_;
  Seq peer_isn_;
  Nanos start_;
  std::optional<Endpoint> remote_;  ///< of the newest connect
  uint16_t listen_port_ = 80;
  std::map<std::pair<uint64_t, std::pair<uint64_t, uint16_t>>, Conversation> conversations_;
};

}  // namespace qstack::script
