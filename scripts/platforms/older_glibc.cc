// What GCC's own libraries ask of glibc, and 2.28 has not yet. Without these the addon does not load there, or ends the
// process with its first exception. Only for addons that are linked against the older one: scripts/prebuild.
#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

extern "C" {

// 2.32: whether the process has one thread alone. It never has here.
char __libc_single_threaded = 0;

// 2.36: behind std::random_device, which nothing of nninit's asks for.
uint32_t arc4random() noexcept {
  uint32_t bits = 0;
  if (getentropy(&bits, sizeof bits) != 0) std::abort();
  return bits;
}

// 2.35: where the object that `address` is in tells how its stack is unwound.
int _dl_find_object(void* address, dl_find_object* result) noexcept {
  struct Search {
    uintptr_t address;
    dl_find_object* result;
  } search{reinterpret_cast<uintptr_t>(address), result};
  const auto look = [](dl_phdr_info* info, size_t, void* data) {
    const Search& wanted = *static_cast<Search*>(data);
    bool is_inside = false;
    const ElfW(Phdr)* frames = nullptr;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const ElfW(Phdr)& part = info->dlpi_phdr[i];
      const uintptr_t begin = info->dlpi_addr + part.p_vaddr;
      if (part.p_type == PT_LOAD && wanted.address - begin < part.p_memsz) {
        is_inside = true;
        wanted.result->dlfo_map_start = reinterpret_cast<void*>(begin);
        wanted.result->dlfo_map_end = reinterpret_cast<void*>(begin + part.p_memsz);
      }
      if (part.p_type == PT_GNU_EH_FRAME) frames = &part;
    }
    if (!is_inside || frames == nullptr) return 0;
    wanted.result->dlfo_flags = 0;
    wanted.result->dlfo_link_map = nullptr;
    wanted.result->dlfo_eh_frame = reinterpret_cast<void*>(info->dlpi_addr + frames->p_vaddr);
    return 1;
  };
  return dl_iterate_phdr(look, &search) == 1 ? 0 : -1;
}

}  // extern "C"
