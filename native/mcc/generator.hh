// Generator: an Engine on a Stack of its own, as one turn that a StackThread (or a test) repeats.
//
// In: a port and its pools, what to send. Out: nothing but traffic and the engine's counts.
// A turn is: turns of the stack while full bursts come in, then one step of the engine (what is due goes out).
#pragma once

#include "native/mcc/engine.hh"
#include "native/mcc/stack_network.hh"
#include "native/stack/stack.hh"

namespace qstack::mcc {

class Generator {
 public:
  Generator(const EngineConfig& config, const StackConfig& stack, Port& port, PacketPool& rx, PacketPool& tx,
            Endpoint remote);

  /// Returns what was done; 0 means idle.
  uint32_t turn(Nanos now);

  Engine& engine() { return engine_; }
  Stack& stack() { return stack_; }

 private:
  uint32_t receive(Nanos now);
  bool wake_for(Nanos deadline, Nanos now);

  StackNetwork network_;
  Engine engine_;
  Stack stack_;
  uint32_t burst_;
  Nanos woken_for_ = 0;
};

}  // namespace qstack::mcc
