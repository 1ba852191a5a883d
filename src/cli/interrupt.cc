#include "cli/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>

#include "cli/exit_code.h"

namespace spillway::cli {
namespace {

sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Interrupt::Interrupt() {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Interrupt::~Interrupt() {
  if (!listener_.joinable()) return;
  listener_.request_stop();
  pthread_kill(listener_.native_handle(), SIGTERM);
}

void Interrupt::Listen(std::function<void()> on_first) {
  listener_ = std::jthread([on_first = std::move(on_first)](std::stop_token stop) {
    const sigset_t signals = Signals();
    std::jthread first;
    for (int received; sigwait(&signals, &received) == 0 && !stop.stop_requested();) {
      if (first.joinable()) _exit(static_cast<int>(ExitCode::kCancelled));
      first = std::jthread(on_first);
    }
  });
}

}  // namespace spillway::cli
