# Compiles for another system with zig's clang, which brings every system's C library and headers along. Where NNINIT_GCC is on, this
# system's GCC compiles, and zig only links: against the C library that NNINIT_TARGET names, and GCC's own libraries as archives.
#   NNINIT_ZIG         the program
#   NNINIT_TARGET      zig's name of the system, such as x86_64-linux-gnu.2.28
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES NNINIT_ZIG NNINIT_TARGET NNINIT_GCC)

string(REGEX MATCH "^[a-z0-9_]+" CMAKE_SYSTEM_PROCESSOR "${NNINIT_TARGET}")
if(NNINIT_TARGET MATCHES "windows")
  set(CMAKE_SYSTEM_NAME Windows)
  # Threads are the system's own there. A library is taken for there where nothing is linked to see, as below.
  set(CMAKE_HAVE_PTHREADS_CREATE OFF CACHE INTERNAL "")
  set(CMAKE_HAVE_PTHREAD_CREATE OFF CACHE INTERNAL "")
elseif(NNINIT_TARGET MATCHES "macos")
  set(CMAKE_SYSTEM_NAME Darwin)
  set(CMAKE_INSTALL_NAME_TOOL true) # nothing is installed
else()
  set(CMAKE_SYSTEM_NAME Linux)
endif()

if(NNINIT_GCC)
  set(CMAKE_CXX_COMPILER g++)
  foreach(library libstdc++.a libgcc.a libgcc_eh.a)
    execute_process(COMMAND g++ -print-file-name=${library} OUTPUT_VARIABLE file OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(APPEND archives " ${file}")
  endforeach()
  set(CMAKE_CXX_CREATE_SHARED_LIBRARY
    "${NNINIT_ZIG} cc -target ${NNINIT_TARGET} <LINK_FLAGS> -shared -o <TARGET> <OBJECTS> <LINK_LIBRARIES> ${archives}")
else()
  # Whatever is linked first makes zig compile libc++ for the system, minutes without a word, and once more for each level of
  # optimization. So CMake gets to know the compiler without linking: it asks with -c first where it is told a target.
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  set(CMAKE_C_COMPILER ${NNINIT_ZIG} cc) # Highway's project asks for one
  set(CMAKE_CXX_COMPILER ${NNINIT_ZIG} c++)
  foreach(language C CXX)
    set(CMAKE_${language}_COMPILER_TARGET ${NNINIT_TARGET})
    # The archivers of this system know one format only.
    set(CMAKE_${language}_ARCHIVE_CREATE "${NNINIT_ZIG} ar qc <TARGET> <OBJECTS>")
    set(CMAKE_${language}_ARCHIVE_FINISH "${NNINIT_ZIG} ranlib <TARGET>")
  endforeach()
  # Highway's inline assembly for bfloat16, which no kernel uses, does not compile with Clang 19.
  set(CMAKE_CXX_FLAGS_INIT "-g0 -DHWY_AVX3_DISABLE_AVX512BF16")
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    # Zig switches the 512-bit registers off where the baseline has none, and Highway 1.2 does not switch them on again.
    string(APPEND CMAKE_CXX_FLAGS_INIT " -mcpu=x86_64+evex512")
  endif()
endif()
