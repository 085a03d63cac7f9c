// ReplyStream: replies that carry no counter, read as their bytes come; they answer the requests of a connection in order.
//
// In: the bytes of a connection in any pieces. Out: where each reply ends. Nothing is kept but a few numbers per connection,
// so a reply may be of any length. Which bytes mean what: make_reply_stream.
#pragma once

#include <memory>

#include "native/mcc/reply.hh"
#include "native/mempool/mapping.hh"

namespace qstack::mcc {

class ReplyStream {
 public:
  virtual ~ReplyStream() = default;
  /// Takes bytes up to the end of a reply. The result's `length` says how many, whole or not.
  virtual Reply read(uint32_t connection, const uint8_t* bytes, uint32_t length) = 0;
  /// The connection's end is the reply's.
  virtual bool ends_here(uint32_t connection) const = 0;
  /// The connection is a new one.
  virtual void restart(uint32_t connection) = 0;
  virtual MemoryRegion memory() const = 0;
};

/// Of ReplyKind::fixed, length_prefix and http; nullptr for the others.
std::unique_ptr<ReplyStream> make_reply_stream(const ReplyFormat& format, uint32_t connections);

}  // namespace qstack::mcc
