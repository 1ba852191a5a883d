#include "cli/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <utility>

#include "cli/exit_code.h"

namespace spillway::cli {
namespace {

/// Who ends a program may send the signal to it and to its group, as timeout(1) does: both are one.
constexpr std::chrono::milliseconds kSameSignal{500};

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
  std::chrono::steady_clock::time_point first_at;
  for (int received; sigwait(&signals, &received) == 0 && !stop.stop_requested();) {
    const auto now = std::chrono::steady_clock::now();
    std::lock_guard lock(mutex_);
    if (on_first_) {
      first_at = now;
      first_ = std::jthread(std::exchange(on_first_, nullptr));
    } else if (now - first_at > kSameSignal) {
      _exit(static_cast<int>(ExitCode::kCancelled));
    }
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
