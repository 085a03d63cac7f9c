// Fragments: datagrams of both families put together from their pieces (RFC 791 3.2, RFC 815; RFC 8200 4.5).
//
// In: one fragment after the other, from anybody. Out: whole datagrams. Everything is bounded: kDatagrams under way at
// once, kBytes and kPieces of each, kPatience of time. When all are taken the oldest makes room: what an honest sender
// sends as a burst gets through a flood of first pieces that nobody means to complete.
// Overlapping fragments are never merged: the whole datagram is dropped, also what still comes of it (RFC 5722; for IPv4
// as well, because nobody honest sends them). A piece that came twice is no overlap when its bytes are the same.
//   pieces:  [0 … 1480) [2960 … 4000)         received 2520 of 4000: kept until [1480 … 2960) comes, or its time is over
#pragma once

#include <array>
#include <memory>
#include <span>

#include "native/abi/counters.hh"
#include "native/mempool/packet.hh"
#include "native/wire/ip_address.hh"
#include "native/wire/mac.hh"

namespace qstack {

/// Fragments of one datagram have this in common. IPv6 has no protocol in it.
struct FragmentKey {
  IpAddress source;
  IpAddress destination;
  uint32_t identification = 0;
  uint8_t protocol = 0;
  friend bool operator==(const FragmentKey&, const FragmentKey&) = default;
};

struct Fragment {
  FragmentKey key;
  uint32_t offset = 0;  ///< of `bytes` in the datagram's payload
  bool more = false;    ///< it is not the last one
  uint8_t ecn = 0;
  MacAddress station{};
  std::span<const uint8_t> headers;  ///< before the piece
  std::span<const uint8_t> bytes;
};

class Fragments {
 public:
  static constexpr uint32_t kDatagrams = 64;
  /// Payload of one datagram: four times what RFC 8200 5 asks for; a TCP segment for us is never longer than the MTU.
  static constexpr uint32_t kBytes = 8'192;
  static constexpr uint32_t kPieces = 32;
  /// Longer ones are read by nobody: 60 of IPv4, or 40 and a few extension headers.
  static constexpr uint32_t kHeaders = 128;
  /// RFC 8200 4.5; RFC 1122 3.3.2 names 60 to 120 s.
  static constexpr Nanos kPatience = 60'000'000'000;

  /// What was put together, or could not be.
  struct Datagram {
    FragmentKey key;
    uint8_t ecn = 0;        ///< as RFC 3168 5.3 merges it
    MacAddress station{};   ///< that sent the first piece
    std::span<const uint8_t> headers;  ///< of the first piece, as they came
    std::span<uint8_t> bytes;
  };

  explicit Fragments(Counters& counters);

  /// The datagram that this fragment completes, valid until the next call; else null: it is kept, or dropped and counted.
  const Datagram* add(const Fragment& fragment, Nanos now);

  /// One that has run out of time and whose first piece is known: that piece, for an ICMP error. Null: no (further) one.
  const Datagram* expire(Nanos now);

  uint32_t used() const { return used_; }

 private:
  struct Piece {
    uint16_t first, end;
  };
  struct Assembly {
    FragmentKey key;
    Nanos deadline = 0;  ///< 0: free
    uint32_t end = 0;    ///< of the payload; 0: the last piece has not come
    uint32_t received = 0;
    uint8_t pieces = 0;
    uint8_t ecn_seen = 0;   ///< bit per code point
    bool refused = false;   ///< whatever comes of it is dropped
    bool has_first = false;
    uint16_t headers = 0;
    MacAddress station{};
    std::array<Piece, kPieces> piece;
    std::array<uint8_t, kHeaders> header;
  };
  static_assert(sizeof(Assembly) == 328);  // mempool/plan.ts counts on it
  enum class Fit : uint8_t { free, repeated, overlaps };

  static bool plausible(const Fragment& fragment);
  Assembly* find(const FragmentKey& key);
  Assembly& make(const FragmentKey& key, Nanos now);
  Fit fit(const Assembly& assembly, const Fragment& fragment);
  void keep(Assembly& assembly, const Fragment& fragment);
  void refuse(Assembly& assembly, Counter why);
  void free(Assembly& assembly);
  const Datagram* present(Assembly& assembly);
  uint8_t* bytes_of(const Assembly& assembly) { return bytes_.get() + (&assembly - assemblies_.get()) * kBytes; }

  Counters& counters_;
  std::unique_ptr<Assembly[]> assemblies_;
  std::unique_ptr<uint8_t[]> bytes_;
  Datagram datagram_;
  uint32_t used_ = 0;
};

}  // namespace qstack
