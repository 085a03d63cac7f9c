#include "native/ip/fragments.hh"

#include <algorithm>
#include <cstring>

#include "native/wire/ecn.hh"

namespace qstack {
namespace {

constexpr uint32_t kIpMax = 65'535;

constexpr uint8_t seen(uint8_t ecn) { return static_cast<uint8_t>(1u << ecn); }

/// RFC 3168 5.3: a mark is not lost, and does not get into a datagram whose sender knows nothing of it.
bool mixes_marks(uint8_t ecn_seen) {
  return (ecn_seen & seen(kEcnCongestion)) && (ecn_seen & seen(kEcnNotCapable));
}

uint8_t merged_ecn(uint8_t ecn_seen) {
  if (ecn_seen & seen(kEcnCongestion)) return kEcnCongestion;
  return ecn_seen == seen(kEcnCapable) ? kEcnCapable : kEcnNotCapable;
}

}  // namespace

Fragments::Fragments(Counters& counters)
    : counters_(counters),
      assemblies_(std::make_unique<Assembly[]>(kDatagrams)),
      bytes_(std::make_unique_for_overwrite<uint8_t[]>(size_t{kDatagrams} * kBytes)) {}

const Fragments::Datagram* Fragments::add(const Fragment& fragment, Nanos now) {
  counters_.add(Counter::fragments_in);
  if (!plausible(fragment)) return counters_.add(Counter::drop_ip_fragment), nullptr;
  Assembly* const known = find(fragment.key);
  Assembly& assembly = known == nullptr ? make(fragment.key, now) : *known;
  if (assembly.refused) return counters_.add(Counter::drop_fragment_overlap), nullptr;
  switch (fit(assembly, fragment)) {
    case Fit::repeated:
      return counters_.add(Counter::drop_ip_fragment), nullptr;
    case Fit::overlaps:
      return refuse(assembly, Counter::drop_fragment_overlap), nullptr;
    default:
      break;
  }
  if (assembly.pieces == kPieces) return refuse(assembly, Counter::drop_ip_fragment), nullptr;
  keep(assembly, fragment);
  if (assembly.end == 0 || assembly.received != assembly.end) return nullptr;
  if (mixes_marks(assembly.ecn_seen)) return refuse(assembly, Counter::drop_ip_fragment), nullptr;
  counters_.add(Counter::datagrams_reassembled);
  return present(assembly);
}

/// All but the last one are multiples of 8, none is empty, and none ends beyond what a datagram (the ping of death) or we
/// have room for.
bool Fragments::plausible(const Fragment& fragment) {
  const auto length = static_cast<uint32_t>(fragment.bytes.size());
  const uint32_t end = fragment.offset + length;
  if (length == 0 || (fragment.more && length % 8 != 0)) return false;
  return fragment.headers.size() <= kHeaders && fragment.headers.size() + end <= kIpMax && end <= kBytes;
}

Fragments::Assembly* Fragments::find(const FragmentKey& key) {
  for (uint32_t i = 0; used_ != 0 && i < kDatagrams; ++i) {
    Assembly& assembly = assemblies_[i];
    if (assembly.deadline != 0 && assembly.key == key) return &assembly;
  }
  return nullptr;
}

Fragments::Assembly& Fragments::make(const FragmentKey& key, Nanos now) {
  Assembly& oldest = *std::min_element(assemblies_.get(), assemblies_.get() + kDatagrams,
                                       [](const Assembly& a, const Assembly& b) { return a.deadline < b.deadline; });
  if (oldest.deadline != 0) {
    counters_.add(Counter::drop_fragment_full, oldest.pieces);
    free(oldest);
  }
  oldest.key = key;
  oldest.deadline = now + kPatience;
  ++used_;
  return oldest;
}

/// A piece that ends behind the last one, or a second last one, overlaps what nobody has sent.
Fragments::Fit Fragments::fit(const Assembly& assembly, const Fragment& fragment) {
  const auto first = fragment.offset;
  const auto end = static_cast<uint32_t>(first + fragment.bytes.size());
  for (uint32_t i = 0; i < assembly.pieces; ++i) {
    const Piece& other = assembly.piece[i];
    if (first >= other.end || end <= other.first) {
      if (!fragment.more && other.end > end) return Fit::overlaps;
      continue;
    }
    const bool same_place = first == other.first && end == other.end && fragment.more == (assembly.end != end);
    const bool same = same_place && std::memcmp(bytes_of(assembly) + first, fragment.bytes.data(), end - first) == 0;
    return same ? Fit::repeated : Fit::overlaps;
  }
  const bool last_known = assembly.end != 0;
  return last_known && (end > assembly.end || !fragment.more) ? Fit::overlaps : Fit::free;
}

void Fragments::keep(Assembly& assembly, const Fragment& fragment) {
  const auto length = static_cast<uint32_t>(fragment.bytes.size());
  const auto end = fragment.offset + length;
  std::memcpy(bytes_of(assembly) + fragment.offset, fragment.bytes.data(), length);
  assembly.piece[assembly.pieces++] = {static_cast<uint16_t>(fragment.offset), static_cast<uint16_t>(end)};
  assembly.received += length;
  assembly.ecn_seen |= seen(fragment.ecn);
  if (!fragment.more) assembly.end = end;
  if (fragment.offset != 0) return;
  assembly.has_first = true;
  assembly.station = fragment.station;
  assembly.headers = static_cast<uint16_t>(fragment.headers.size());
  std::memcpy(assembly.header.data(), fragment.headers.data(), fragment.headers.size());
}

/// Its pieces are counted with the one that has just come. It stays until its time is over, so that the rest is known.
void Fragments::refuse(Assembly& assembly, Counter why) {
  counters_.add(why, assembly.pieces + 1u);
  assembly.pieces = 0;
  assembly.refused = true;
}

void Fragments::free(Assembly& assembly) {
  assembly.deadline = 0;
  assembly.end = assembly.received = 0;
  assembly.pieces = assembly.ecn_seen = 0;
  assembly.refused = assembly.has_first = false;
  --used_;
}

const Fragments::Datagram* Fragments::present(Assembly& assembly) {
  datagram_ = {assembly.key, merged_ecn(assembly.ecn_seen), assembly.station,
               {assembly.header.data(), assembly.headers}, {bytes_of(assembly), assembly.received}};
  free(assembly);
  return &datagram_;
}

/// RFC 8200 4.5, RFC 792: only who sent the first piece is told.
const Fragments::Datagram* Fragments::expire(Nanos now) {
  for (uint32_t i = 0; used_ != 0 && i < kDatagrams; ++i) {
    Assembly& assembly = assemblies_[i];
    if (assembly.deadline == 0 || now < assembly.deadline) continue;
    counters_.add(Counter::drop_fragment_timeout, assembly.pieces);
    const bool answer = assembly.has_first && !assembly.refused;
    if (!answer) {
      free(assembly);
      continue;
    }
    const Piece* piece = assembly.piece.data();
    while (piece->first != 0) ++piece;
    assembly.received = piece->end;
    return present(assembly);
  }
  return nullptr;
}

}  // namespace qstack
