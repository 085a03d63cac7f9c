// Settings: what the lines `--name=value` of a script say about the stack and about the script itself.
// In: a script's settings. Out: the stack's configuration and how the script is to be read. Names of TcpConfig are the
// names here; see settings.cc for all of them.
#pragma once

#include "native/stack/config.hh"
#include "native/tcp/config.hh"
#include "test/script/script.hh"

namespace qstack::script {

struct Settings {
  StackConfig stack;
  ListenerConfig socket;  ///< what every socket begins with
  /// Not far below 2^32: most scripts cross the wrap of the peer's sequence numbers.
  Seq peer_isn = 0xffff'fc18;
  Nanos tolerance = 1'000'000;  ///< a tick of the stack's timers
  bool burst = false;           ///< segments of the peer in one instant arrive in one turn of the stack
};

Settings settings_of(const Script& script);

}  // namespace qstack::script
