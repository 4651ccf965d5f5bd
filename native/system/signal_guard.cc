#include "system/signal_guard.h"

#if defined(_WIN32)

namespace nninit {

bool StartSignalGuard(int, const std::string&) { return false; }
void StopSignalGuard() {}

}  // namespace nninit

#else

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <thread>

namespace nninit {
namespace {

constexpr int kSignals[] = {SIGHUP, SIGINT, SIGTERM};
constexpr unsigned char kStop = 0;  // no signal's number

struct Guard {
  int read_end = -1;
  int write_end = -1;
  struct sigaction before[3];
  int grace_ms = 0;
  std::string message;
  std::thread watcher;
};

// Never destroyed: at the process's end the watcher still waits, since a second signal is to end what exit() waits for,
// and a handler may run.
Guard& guard = *new Guard;

// Whatever a handler may do: tells the watcher, and goes on to the handler that was there, libuv's.
void OnSignal(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  const auto number = static_cast<unsigned char>(signal);
  if (write(guard.write_end, &number, 1) != 1) {
  }
  for (size_t i = 0; i < 3; ++i) {
    if (kSignals[i] != signal) continue;
    const struct sigaction& before = guard.before[i];
    if ((before.sa_flags & SA_SIGINFO) != 0) {
      before.sa_sigaction(signal, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
      before.sa_handler(signal);
    }
  }
  errno = error;
}

// The number of the next signal, kStop, or -1 after so many milliseconds.
int Next(int milliseconds) {
  struct pollfd ready = {guard.read_end, POLLIN, 0};
  while (true) {
    const int found = poll(&ready, 1, milliseconds);
    if (found < 0 && errno == EINTR) continue;
    if (found == 0) return -1;
    unsigned char number = kStop;
    return read(guard.read_end, &number, 1) == 1 ? number : kStop;
  }
}

void Watch() {
  const int first = Next(-1);
  if (first == kStop) return;
  int last = Next(guard.grace_ms);
  if (last == kStop) return;
  if (last < 0) {
    last = first;
    if (write(STDERR_FILENO, guard.message.data(), guard.message.size()) < 0) {
    }
  }
  struct sigaction usual = {};
  usual.sa_handler = SIG_DFL;
  sigaction(last, &usual, nullptr);
  kill(getpid(), last);
}

void Close() {
  close(guard.read_end);
  close(guard.write_end);
  guard.read_end = guard.write_end = -1;
}

}  // namespace

bool StartSignalGuard(int grace_ms, const std::string& message) {
  int ends[2];
  if (guard.read_end >= 0 || pipe(ends) != 0) return false;
  for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);  // a handler must not wait
  guard.read_end = ends[0];
  guard.write_end = ends[1];
  guard.grace_ms = grace_ms;
  guard.message = message;
  // The watcher takes no signals itself: it inherits that they are blocked.
  sigset_t all;
  sigset_t mine;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mine);
  bool started = true;
  try {
    guard.watcher = std::thread(Watch);
  } catch (const std::exception&) {
    started = false;
    Close();
  }
  pthread_sigmask(SIG_SETMASK, &mine, nullptr);
  if (!started) return false;
  struct sigaction ours = {};
  ours.sa_sigaction = OnSignal;
  ours.sa_flags = SA_SIGINFO | SA_RESTART;
  sigfillset(&ours.sa_mask);
  for (size_t i = 0; i < 3; ++i) {
    sigaction(kSignals[i], nullptr, &guard.before[i]);
    sigaction(kSignals[i], &ours, nullptr);
  }
  return true;
}

void StopSignalGuard() {
  if (guard.read_end < 0) return;
  for (size_t i = 0; i < 3; ++i) {
    struct sigaction now;
    sigaction(kSignals[i], nullptr, &now);
    const bool is_ours = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == OnSignal;
    if (is_ours) sigaction(kSignals[i], &guard.before[i], nullptr);
  }
  if (write(guard.write_end, &kStop, 1) != 1) {
  }
  guard.watcher.join();
  Close();
}

}  // namespace nninit

#endif
