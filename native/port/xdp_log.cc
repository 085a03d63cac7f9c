#include "native/port/xdp_log.hh"

#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>

#include "native/port/eal.hh"

namespace qstack {

namespace {

/// libbpf_print_fn_t and libxdp_print_fn_t; 0 is a warning in both.
using Print = int (*)(int level, const char* format, va_list arguments);

int keep_warning(int level, const char* format, va_list arguments) {
  char text[256];
  if (level != 0) return 0;
  const int length = vsnprintf(text, sizeof(text), format, arguments);
  EalLogCapture::add(text);
  return length;
}

void set_print(const char* library, const char* function) {
  void* const handle = dlopen(library, RTLD_NOLOAD | RTLD_LAZY);
  if (handle == nullptr) return;
  const auto set = reinterpret_cast<Print (*)(Print)>(dlsym(handle, function));
  if (set != nullptr) set(keep_warning);
  dlclose(handle);
}

}  // namespace

void capture_xdp_log() {
  set_print("libbpf.so.1", "libbpf_set_print");
  set_print("libxdp.so.1", "libxdp_set_print");
}

}  // namespace qstack
