// ProfileTable: what applies to a connection (framing, options), once for all that have the same.
//
// In: profiles to use, references. Out: a number of 16 bits, which is all that a control block keeps of it. Invariant: no
// two profiles in use are equal; one without references is gone, and its number is given to another.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "native/tcp/config.hh"
#include "native/wire/mix.hh"

namespace qstack {

struct Profile {
  Framing framing = Framing::stream;
  uint16_t fixed_length = 0;
  uint16_t listener = 0;  ///< number of the listener; 0xffff for active opens
  SocketOptions options;  ///< complete
  LengthPrefix prefix{};
  bool unordered = false;
  friend bool operator==(const Profile&, const Profile&) = default;
};

class ProfileTable {
 public:
  static constexpr uint16_t kNone = 0xffff;

  /// The number of this profile, with one reference more. kNone: all numbers are in use.
  uint16_t use(const Profile& profile) {
    const uint64_t hash = hash_of(profile);
    const auto [first, last] = numbers_.equal_range(hash);
    for (auto it = first; it != last; ++it) {
      if (entries_[it->second].profile == profile) return hold(it->second), it->second;
    }
    uint16_t number = kNone;
    if (!free_.empty()) {
      number = free_.back();
      free_.pop_back();
      entries_[number] = {profile, 1};
    } else if (entries_.size() < kNone) {
      number = static_cast<uint16_t>(entries_.size());
      entries_.push_back({profile, 1});
    } else {
      return kNone;
    }
    numbers_.emplace(hash, number);
    keepalive_idle_ms_ = earlier(keepalive_idle_ms_, idle_of(profile));
    return number;
  }

  void hold(uint16_t number) { ++entries_[number].references; }

  void release(uint16_t number) {
    Entry& entry = entries_[number];
    if (--entry.references != 0) return;
    const auto [first, last] = numbers_.equal_range(hash_of(entry.profile));
    numbers_.erase(std::find_if(first, last, [number](const auto& pair) { return pair.second == number; }));
    free_.push_back(number);
    if (idle_of(entry.profile) == keepalive_idle_ms_ && keepalive_idle_ms_ != 0) look_for_keepalive();
  }

  const Profile& operator[](uint16_t number) const { return entries_[number].profile; }
  size_t used() const { return numbers_.size(); }
  /// The shortest silence after which any of them is probed; 0: none is.
  uint32_t keepalive_idle_ms() const { return keepalive_idle_ms_; }

 private:
  struct Entry {
    Profile profile;
    uint32_t references;
  };

  static uint64_t hash_of(const Profile& p) {
    uint64_t hash = mix_product(uint64_t{p.listener} << 32 | p.fixed_length, static_cast<uint64_t>(p.framing) + 1);
    const uint64_t kind = p.prefix.offset | p.prefix.width << 8 | p.prefix.little_endian << 11 | p.unordered << 12;
    hash = mix_product(hash ^ kind << 32 ^ p.prefix.maximum, static_cast<uint32_t>(p.prefix.adjust) + uint64_t{1});
    for (const uint32_t value : p.options.values()) hash = mix_product(hash ^ value, 0x9e3779b97f4a7c15);
    return hash;
  }

  static uint32_t idle_of(const Profile& p) {
    return p.options[TcpOption::keepalive] == 0 ? 0 : p.options[TcpOption::keepalive_idle_ms];
  }
  static uint32_t earlier(uint32_t a, uint32_t b) { return a == 0 || b == 0 ? a + b : std::min(a, b); }

  void look_for_keepalive() {
    keepalive_idle_ms_ = 0;
    for (const auto& [hash, number] : numbers_) {
      keepalive_idle_ms_ = earlier(keepalive_idle_ms_, idle_of(entries_[number].profile));
    }
  }

  std::vector<Entry> entries_;
  std::vector<uint16_t> free_;
  std::unordered_multimap<uint64_t, uint16_t> numbers_;
  uint32_t keepalive_idle_ms_ = 0;
};

}  // namespace qstack
