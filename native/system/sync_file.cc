#include "system/sync_file.h"

#include <cerrno>

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace nninit {

#ifdef _WIN32

int SyncFile(int descriptor) {
  // Descriptors are the C library's that is linked into node.exe, which tells the handles.
  using HandleOf = void* (*)(int);
  void (*const found)() = reinterpret_cast<void (*)()>(GetProcAddress(GetModuleHandle(nullptr), "uv_get_osfhandle"));
  if (found == nullptr) return ENOSYS;
  return FlushFileBuffers(reinterpret_cast<HandleOf>(found)(descriptor)) ? 0 : EIO;
}

#else

int SyncFile(int descriptor) {
#ifdef F_FULLFSYNC  // macOS, where fsync() leaves them in the disk's cache
  if (fcntl(descriptor, F_FULLFSYNC) == 0) return 0;
#endif
  int result;
  do {
    result = fsync(descriptor);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

#endif

}  // namespace nninit
