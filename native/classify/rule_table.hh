// The byte table of a classifier: what stack/classifier-table.ts writes and Classifier::load checks and reads.
//
//   header 20 B │ rules × 4 B │ conditions × 20 B, those of rule 0 first │ list values × 4 B │ text      little-endian
//
// In: bytes from anywhere. Out: offsets and names, nothing else. A rule is the conjunction of its conditions; a
// condition is: the value of `width` bytes at `offset` of a base, masked, lies in [low, low + span] or in a list; or 16
// bytes there belong to a network; or a pcap-filter expression, which stands in the text, accepts the frame.
#pragma once

#include <cstdint>

namespace qstack::rule_table {

inline constexpr uint32_t kMagic = 0x4c435351;  // "QSCL"
inline constexpr uint8_t kVersion = 2;

inline constexpr uint32_t kHeaderBytes = 20;
inline constexpr uint32_t kRuleBytes = 4;
inline constexpr uint32_t kConditionBytes = 20;

inline constexpr uint16_t kRulesMax = 1024;
inline constexpr uint16_t kConditionsMax = 8192;
inline constexpr uint8_t kConditionsPerRuleMax = 16;
inline constexpr uint8_t kListMax = 16;
/// Width of a network's condition: its list values are four words of the address and four of the mask.
inline constexpr uint8_t kNetworkWidth = 16;
inline constexpr uint8_t kNetworkWords = 8;
/// Longest pcap-filter expression.
inline constexpr uint32_t kFilterTextMax = 4096;
/// Furthest byte that a condition may name: behind the largest frame nothing can be read anyway.
inline constexpr uint16_t kOffsetMax = 9216;

/// Where an offset counts from. `ipv4` and `ipv6` are the IP header where it is of that version; `vlan` is the tag that was
/// taken off (four bytes), `dscp` one byte with the code point in its upper six bits, whatever the version.
enum class Base : uint8_t { frame, ip, tcp, payload, length, ipv4, ipv6, vlan, dscp, filter, count_ };

/// Header: 0 magic u32, 4 version u8, 5 levels u8, 6 default level u8, 7 options u8, 8 rules u16, 10 conditions u16,
/// 12 list values u16, 14 payload_at u16, 16 bytes of text u32.
enum HeaderOption : uint8_t { kPayloadAt = 1 };

/// Rule: 0 level u8, 1 conditions u8 (0: matches always), 2 reserved u16 (0).
/// Condition: 0 base u8, 1 width u8 (1, 2, 4; 16: a network), 2 flags u8, 3 list length u8, 4 offset u16, 6 reserved u16
/// (0), 8 mask u32, 12 low u32 (list, network: index of its first value), 16 span u32 (list, network: 0).
/// Of base filter: offset, width, list length and mask are 0, low is where its text begins and span how long it is.
enum ConditionFlag : uint8_t { kLittleEndian = 1, kNot = 2, kList = 4 };

}  // namespace qstack::rule_table
