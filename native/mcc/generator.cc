#include "native/mcc/generator.hh"

namespace qstack::mcc {

namespace {
/// A thread that naps comes round every 500 us: it has to be awake a few of those before a send is due.
constexpr Nanos kWakeBefore = 2'000'000;
/// Receiving comes first: replies that wait in the device are lost when its ring is full, and our own messages are not.
constexpr uint32_t kTurnsPerStep = 4;
}  // namespace

Generator::Generator(const EngineConfig& config, const StackConfig& stack, Port& port, PacketPool& rx, PacketPool& tx,
                     Endpoint remote)
    : network_(tx, remote), engine_(config, network_), stack_(stack, port, rx, tx, engine_), burst_(stack.rx_burst) {
  network_.attach(stack_, port);
}

uint32_t Generator::turn(Nanos now) {
  engine_.begin_turn(now);
  uint32_t work = receive(now);
  work += engine_.step(now);
  return work + (wake_for(engine_.next_deadline(), now) ? 1 : 0);
}

uint32_t Generator::receive(Nanos now) {
  uint32_t work = 0;
  for (uint32_t turns = 0; turns < kTurnsPerStep; ++turns) {
    uint32_t done = stack_.turn(now);
    work += done;
    if (done < burst_) break;
  }
  return work;
}

/// True once per deadline: an idle turn that counts as work keeps the thread from napping for the next 10 ms.
bool Generator::wake_for(Nanos deadline, Nanos now) {
  if (deadline > now + kWakeBefore || deadline == woken_for_) return false;
  woken_for_ = deadline;
  return true;
}

}  // namespace qstack::mcc
