#pragma once

#include <functional>
#include <mutex>
#include <thread>

namespace spillway::cli {

/// Ctrl-C and SIGTERM. They end the program at once with ExitCode::kCancelled, unless somebody
/// listens: what was begun is then taken up by the next worker. Make it before any other thread
/// starts, since threads inherit which signals are blocked.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Listens until it goes out of scope; what was called then has returned.
  class [[nodiscard]] Listening {
   public:
    ~Listening();
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

   private:
    friend class Interrupt;
    Listening(Interrupt& interrupt, std::function<void()> on_first);

    Interrupt& interrupt_;
  };

  /// The first signal calls `on_first`, in a thread of its own, so it may do anything; the second
  /// ends the program at once, unless it comes within half a second. One listens at a time.
  Listening Listen(std::function<void()> on_first) { return {*this, std::move(on_first)}; }

 private:
  void Serve(const std::stop_token& stop);

  std::mutex mutex_;
  std::function<void()> on_first_;  ///< Guarded by mutex_. Empty: the next signal ends the program.
  std::jthread first_;              ///< Guarded by mutex_.
  std::jthread listener_;
};

}  // namespace spillway::cli
