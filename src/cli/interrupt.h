#pragma once

#include <functional>
#include <thread>

namespace spillway::cli {

/// Ctrl-C and SIGTERM. The first calls `on_first` (in a thread of its own, so it may do anything);
/// the second leaves the program at once: what was begun is then taken up by the next worker. Make
/// it before any other thread starts, since threads inherit which signals are blocked.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Starts to listen.
  void Listen(std::function<void()> on_first);

 private:
  std::jthread listener_;
};

}  // namespace spillway::cli
