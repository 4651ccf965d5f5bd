// Preloaded into a process that writes to one folder: counts the system calls that change files there, and at one of them kills the
// process, lets the power fail, or makes the call fail; or shows at each of them what a process that ends there would leave. Environment:
//
//   FAULTS_FOLDER  calls on this absolute path and below count
//   FAULTS_LOG     a file to which each such call is added: "number kind name"
//   FAULTS_AT      the number of the call, from 1
//   FAULTS_HOW     kill: before the call; torn: after half of a write; power: as kill, and what is not synced is lost;
//                  short: half of the write is done, and the rest is left to the caller; or an errno's number;
//                  states: at every call; what kill, torn and power would leave is copied to kill-N, torn-N and power-N in FAULTS_KEPT
//   FAULTS_KIND    only calls of this kind count: open create write rename unlink sync link mkdir rmdir truncate
//   FAULTS_ON      1: all calls from that one on fail
//   FAULTS_SLOW    microseconds that such a call waits before, at most
//   FAULTS_KEPT    for power and states: a folder on the same file system, where what is removed is kept until it is synced
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls;

static const char* setting(const char* name) {
  const char* value = getenv(name);
  return value == NULL ? "" : value;
}

static int below(const char* path) {
  const char* folder = setting("FAULTS_FOLDER");
  const size_t length = strlen(folder);
  return length > 0 && path != NULL && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static int path_of(int fd, char* path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  return below(path);
}

// What a power failure would lose: bytes of files since they were synced, and names since their folder was.

struct Unsynced {
  dev_t dev;
  ino_t ino;
  int fd;
  off_t begin, end;
};
static struct Unsynced unsynced[256];
static int files;

struct Change {
  char from[PATH_MAX], to[PATH_MAX], kept[PATH_MAX];  // "from" had this name before, or is empty; "kept" is what had "to"
};
static struct Change* changes;
static int names;

static int states(void) { return strcmp(setting("FAULTS_HOW"), "states") == 0; }
static int power(void) { return states() || strcmp(setting("FAULTS_HOW"), "power") == 0; }

static struct Unsynced* find(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return NULL;
  for (int i = 0; i < files; ++i) {
    if (unsynced[i].dev == info.st_dev && unsynced[i].ino == info.st_ino) return &unsynced[i];
  }
  if (files == 256) abort();
  unsynced[files] = (struct Unsynced){info.st_dev, info.st_ino, dup(fd), 0, 0};
  return &unsynced[files++];
}

static void wrote(int fd, off_t begin, ssize_t bytes) {
  if (!power() || bytes <= 0) return;
  struct Unsynced* file = find(fd);
  if (file == NULL) return;
  if (file->end == 0 || begin < file->begin) file->begin = begin;
  if (begin + bytes > file->end) file->end = begin + bytes;
}

static void synced(int fd, const char* path) {
  if (!power()) return;
  struct Unsynced* file = find(fd);
  if (file != NULL) {
    file->begin = file->end = 0;
    return;
  }
  int left = 0;
  for (int i = 0; i < names; ++i) {
    char folder[PATH_MAX];
    strcpy(folder, changes[i].to);
    *strrchr(folder, '/') = '\0';
    if (strcmp(folder, path) != 0) changes[left++] = changes[i];
  }
  names = left;
}

/** To be called before the change: what has the name "to" is kept. */
static void renaming(const char* from, const char* to, int removes) {
  if (!power()) return;
  static int count;
  changes = realloc(changes, (size_t)(names + 1) * sizeof *changes);
  struct Change* change = &changes[names++];
  memset(change, 0, sizeof *change);
  strcpy(change->from, from);
  strcpy(change->to, to);
  if (!removes) return;
  snprintf(change->kept, sizeof change->kept, "%s/%d-%d", setting("FAULTS_KEPT"), getpid(), count++);
  if (REAL(link)(to, change->kept) != 0) change->kept[0] = '\0';
}

static void lose(void) {
  for (int i = 0; i < files; ++i) {
    static const char zeros[4096];
    for (off_t at = unsynced[i].begin; at < unsynced[i].end;) {
      const off_t left = unsynced[i].end - at;
      const ssize_t done = REAL(pwrite64)(unsynced[i].fd, zeros, left < 4096 ? (size_t)left : 4096, at);
      if (done <= 0) break;
      at += done;
    }
  }
  for (int i = names - 1; i >= 0; --i) {
    struct Change* change = &changes[i];
    struct stat info;
    if (change->from[0] != '\0') {
      REAL(rename)(change->to, change->from);
    } else if (stat(change->to, &info) == 0 && S_ISDIR(info.st_mode)) {
      REAL(rmdir)(change->to);
    } else {
      REAL(unlink)(change->to);
    }
    if (change->kept[0] != '\0') REAL(link)(change->kept, change->to);
  }
}

/** A file's bytes, but for those that a power failure would lose. */
static void copy_file(const char* from, const char* to, int loses) {
  struct stat info;
  const int in = REAL(open)(from, O_RDONLY);
  if (in < 0 || fstat(in, &info) != 0) abort();
  char* bytes = malloc((size_t)info.st_size + 1);
  if (read(in, bytes, (size_t)info.st_size) != info.st_size) abort();
  close(in);
  for (int i = 0; loses && i < files; ++i) {
    const struct Unsynced* file = &unsynced[i];
    if (file->dev != info.st_dev || file->ino != info.st_ino || file->end == 0) continue;
    memset(bytes + file->begin, 0, (size_t)(file->end - file->begin));
  }
  const int out = REAL(open)(to, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (REAL(write)(out, bytes, (size_t)info.st_size) != info.st_size) abort();
  close(out);
  free(bytes);
}

/** The folder, copied as it is, or with the changes of names taken back that a power failure would lose. */
static void show(const char* how) {
  const char* folder = setting("FAULTS_FOLDER");
  const int loses = strcmp(how, "power") == 0;
  char copy[PATH_MAX / 2], path[PATH_MAX], other[PATH_MAX];
  snprintf(copy, sizeof copy, "%s/%s-%ld", setting("FAULTS_KEPT"), how, calls);
  DIR* all = opendir(folder);
  if (all == NULL) return;
  REAL(mkdir)(copy, 0777);
  for (const struct dirent* each = readdir(all); each != NULL; each = readdir(all)) {
    if (strcmp(each->d_name, ".") == 0 || strcmp(each->d_name, "..") == 0) continue;
    snprintf(path, sizeof path, "%s/%s", folder, each->d_name);
    snprintf(other, sizeof other, "%s/%s", copy, each->d_name);
    copy_file(path, other, loses);
  }
  closedir(all);
  for (int i = names - 1; loses && i >= 0; --i) {
    const struct Change* change = &changes[i];
    snprintf(path, sizeof path, "%s%s", copy, change->to + strlen(folder));
    snprintf(other, sizeof other, "%s%s", copy, change->from + (change->from[0] == '\0' ? 0 : strlen(folder)));
    if (strcmp(path, copy) == 0) REAL(rmdir)(copy);
    else if (change->from[0] != '\0') REAL(rename)(path, other);
    else REAL(unlink)(path);
    if (change->kept[0] != '\0') copy_file(change->kept, path, 1);
  }
}

static void end(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

enum Fault { none, fails, half };

/** Counts a call; the lock is held. Does not return where the process is to end here. */
static enum Fault count(const char* kind, const char* path) {
  const char* only = setting("FAULTS_KIND");
  if (only[0] != '\0' && strcmp(only, kind) != 0) return none;
  if (only[0] == '\0' && strcmp(kind, "open") == 0) return none;  // changes nothing
  ++calls;
  if (setting("FAULTS_LOG")[0] != '\0') {
    char line[PATH_MAX + 64];
    const int length = snprintf(line, sizeof line, "%ld %s %s\n", calls, kind, path);
    const int log = REAL(open)(setting("FAULTS_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (REAL(write)(log, line, (size_t)length) != length) abort();
    close(log);
  }
  if (states()) {
    show("kill");
    show("power");
    return none;
  }
  const long at = atol(setting("FAULTS_AT"));
  const int on = setting("FAULTS_ON")[0] == '1';
  if (at == 0 || calls < at || (calls > at && !on)) return none;
  const char* how = setting("FAULTS_HOW");
  if (strcmp(how, "short") == 0 || strcmp(how, "torn") == 0) return half;
  if (strcmp(how, "kill") == 0) end();
  if (strcmp(how, "power") == 0) {
    lose();
    end();
  }
  errno = atoi(how);
  return fails;
}

/** Gives others the time to come in between. */
static void wait_a_little(void) {
  static __thread unsigned seed;
  const long most = atol(setting("FAULTS_SLOW"));
  if (most <= 0) return;
  if (seed == 0) seed = (unsigned)getpid() * 2654435761u ^ (unsigned)time(NULL) ^ (unsigned)(size_t)&seed;
  usleep((unsigned)(rand_r(&seed) % most));
}

#define LOCKED(kind, path, call, after)                  \
  do {                                                   \
    wait_a_little();                                     \
    pthread_mutex_lock(&lock);                           \
    const enum Fault fault = count(kind, path);          \
    __typeof__(call) done = -1;                          \
    if (fault != fails) done = call;                     \
    const int code = errno;                              \
    if (done >= 0) {                                     \
      after;                                             \
    }                                                    \
    pthread_mutex_unlock(&lock);                         \
    errno = code;                                        \
    return done;                                         \
  } while (0)

static int opening(int folder, const char* path, int flags, mode_t mode) {
  if (!below(path)) return REAL(openat64)(folder, path, flags, mode);
  const int creates = (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
  LOCKED(creates ? "create" : "open", path, REAL(openat64)(folder, path, flags, mode), {
    if (creates) renaming("", path, 0);
  });
}

#define OPEN(name, parameters, folder)                   \
  int name parameters {                                  \
    va_list more;                                        \
    va_start(more, flags);                               \
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0; \
    va_end(more);                                        \
    return opening(folder, path, flags, mode);           \
  }
OPEN(open, (const char* path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char* path, int flags, ...), AT_FDCWD)
OPEN(openat, (int folder, const char* path, int flags, ...), folder)
OPEN(openat64, (int folder, const char* path, int flags, ...), folder)

static ssize_t plain_write(int fd, const char* bytes, size_t length, off_t at, int here) {
  return here ? REAL(write)(fd, bytes, length) : REAL(pwrite64)(fd, bytes, length, at);
}

/** Shows what there is when half of it is done. */
static ssize_t shown_write(int fd, const char* bytes, size_t length, off_t at, int here) {
  const size_t half = (length + 1) / 2;
  const ssize_t first = plain_write(fd, bytes, half, at, here);
  if (first != (ssize_t)half) return first;
  show("torn");
  const ssize_t rest = plain_write(fd, bytes + half, length - half, at + first, here);
  return rest < 0 ? first : first + rest;
}

static ssize_t writing(int fd, const void* bytes, size_t length, off_t at) {
  char path[PATH_MAX];
  const int ours = path_of(fd, path);
  const int here = at < 0;
  if (!ours) return plain_write(fd, bytes, length, at, here);
  if (here) at = lseek(fd, 0, (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
  const int kills = strcmp(setting("FAULTS_HOW"), "torn") == 0;
  LOCKED("write", path, (states() ? shown_write : plain_write)(fd, bytes, fault == half ? (length + 1) / 2 : length, at, here), {
    wrote(fd, at, done);
    if (fault == half && kills) end();
  });
}

ssize_t write(int fd, const void* bytes, size_t length) { return writing(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void* bytes, size_t length, off_t at) { return writing(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void* bytes, size_t length, off64_t at) { return writing(fd, bytes, length, at); }

/** Only the first piece: a short write. */
ssize_t writev(int fd, const struct iovec* pieces, int number) {
  char path[PATH_MAX];
  if (number < 1 || !path_of(fd, path)) return REAL(writev)(fd, pieces, number);
  return writing(fd, pieces->iov_base, pieces->iov_len, -1);
}
ssize_t pwritev64(int fd, const struct iovec* pieces, int number, off64_t at) {
  char path[PATH_MAX];
  if (number < 1 || !path_of(fd, path)) return REAL(pwritev64)(fd, pieces, number, at);
  return writing(fd, pieces->iov_base, pieces->iov_len, at);
}
ssize_t pwritev(int fd, const struct iovec* pieces, int number, off_t at) { return pwritev64(fd, pieces, number, at); }

static int syncing(int fd, int (*sync)(int)) {
  char path[PATH_MAX];
  if (!path_of(fd, path)) return sync(fd);
  LOCKED("sync", path, sync(fd), synced(fd, path));
}
int fsync(int fd) { return syncing(fd, REAL(fsync)); }
int fdatasync(int fd) { return syncing(fd, REAL(fdatasync)); }

int ftruncate64(int fd, off64_t size) {
  char path[PATH_MAX];
  if (!path_of(fd, path)) return REAL(ftruncate64)(fd, size);
  LOCKED("truncate", path, REAL(ftruncate64)(fd, size), );
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

// For a power failure the old state is noted before the call; one that then fails changes nothing, so the note goes again.
#define NOTED(call, from, to, removes) \
  ({                                   \
    renaming(from, to, removes);       \
    const int result = call;           \
    if (result != 0 && power()) --names; \
    result;                            \
  })

int rename(const char* from, const char* to) {
  if (!below(to)) return REAL(rename)(from, to);
  LOCKED("rename", to, NOTED(REAL(rename)(from, to), from, to, 1), );
}
int link(const char* from, const char* to) {
  if (!below(to)) return REAL(link)(from, to);
  LOCKED("link", to, NOTED(REAL(link)(from, to), "", to, 0), );
}
int unlink(const char* path) {
  if (!below(path)) return REAL(unlink)(path);
  LOCKED("unlink", path, NOTED(REAL(unlink)(path), "", path, 1), );
}
int mkdir(const char* path, mode_t mode) {
  if (!below(path)) return REAL(mkdir)(path, mode);
  LOCKED("mkdir", path, NOTED(REAL(mkdir)(path, mode), "", path, 0), );
}
int rmdir(const char* path) {
  if (!below(path)) return REAL(rmdir)(path);
  LOCKED("rmdir", path, REAL(rmdir)(path), );
}
