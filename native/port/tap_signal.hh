// TapSignal: DPDK's tap driver looks for frames only after the kernel has sent it a signal, one per frame. A polling thread
// looks anyway: here the kernel is told to send none, and the driver's handler is called instead, before each burst.
//
// In: the tap's file, found by its link in /proc/self/fd and by the signal that the driver has set on it. Out: look().
// For this room only. Nothing happens where the driver has set no signal.
#pragma once

namespace qstack {

class TapSignal {
 public:
  /// After the device was started; takes the signal off every tap of this process that has one.
  void take_over();
  /// What the driver does at a signal: the next burst reads the file.
  void look() const {
    if (handler_ != nullptr) handler_(signal_);
  }

 private:
  void (*handler_)(int) = nullptr;
  int signal_ = 0;
};

}  // namespace qstack
