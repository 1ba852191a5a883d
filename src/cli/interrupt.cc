#include "cli/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <utility>

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
  // Writes that fail so say why themselves.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  listener_ = std::jthread([this](const std::stop_token& stop) { Serve(stop); });
}

Interrupt::~Interrupt() {
  listener_.request_stop();
  pthread_kill(listener_.native_handle(), SIGTERM);
}

void Interrupt::Serve(const std::stop_token& stop) {
  const sigset_t signals = Signals();
  for (int received; sigwait(&signals, &received) == 0 && !stop.stop_requested();) {
    std::lock_guard lock(mutex_);
    if (!on_first_) _exit(static_cast<int>(ExitCode::kCancelled));
    first_ = std::jthread(std::exchange(on_first_, nullptr));
  }
}

Interrupt::Listening::Listening(Interrupt& interrupt, std::function<void()> on_first)
    : interrupt_(interrupt) {
  std::lock_guard lock(interrupt_.mutex_);
  interrupt_.on_first_ = std::move(on_first);
}

Interrupt::Listening::~Listening() {
  std::jthread first;
  std::lock_guard lock(interrupt_.mutex_);
  interrupt_.on_first_ = nullptr;
  first = std::move(interrupt_.first_);
}

}  // namespace spillway::cli
