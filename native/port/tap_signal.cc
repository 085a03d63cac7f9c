#include "native/port/tap_signal.hh"

#include <fcntl.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace qstack {

namespace {

/// The signal of a tap's file; 0: the file is none, or sends none.
int signal_of(int fd, const std::filesystem::path& link) {
  std::error_code error;
  if (std::filesystem::read_symlink(link, error) != "/dev/net/tun" || error) return 0;
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ASYNC) != 0 ? fcntl(fd, F_GETSIG) : 0;
}

}  // namespace

void TapSignal::take_over() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    const int signal = signal_of(fd, entry.path());
    struct sigaction action {};
    if (signal <= 0 || sigaction(signal, nullptr, &action) != 0) continue;
    const bool function = (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
    if (!function || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_ASYNC) != 0) continue;
    handler_ = action.sa_handler;
    signal_ = signal;
  }
}

}  // namespace qstack
