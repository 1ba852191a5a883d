#include "cli/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

#include "cli/exit_code.h"

namespace spillway::cli {
namespace {

constexpr timespec kLook{.tv_sec = 0, .tv_nsec = 50'000'000};

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

Interrupt::~Interrupt() = default;

void Interrupt::Listen(std::function<void()> on_first) {
  listener_ = std::jthread([on_first = std::move(on_first)](std::stop_token stop) {
    const sigset_t signals = Signals();
    std::jthread first;
    while (!stop.stop_requested()) {
      if (sigtimedwait(&signals, nullptr, &kLook) < 0) continue;
      if (first.joinable()) _exit(static_cast<int>(ExitCode::kCancelled));
      first = std::jthread(on_first);
    }
  });
}

}  // namespace spillway::cli
