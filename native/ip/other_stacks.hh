// OtherStacks: the stacks that have our addresses as well, each for flows of its own.
//
// In: what was put together from fragments: a port sees no ports in pieces, so all of them come to one stack. Out: it is
// another stack's and on its way there, or this one's.
#pragma once

#include "native/mempool/packet.hh"

namespace qstack {

class OtherStacks {
 public:
  virtual ~OtherStacks() = default;
  /// `packet` is a frame that is whole again. True: it is another stack's, and taken over, whether or not it gets there.
  virtual bool take(Packet* packet) = 0;
};

}  // namespace qstack
