#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::cli {

/// One line on a terminal that is drawn again and again: how much is done, how fast, and the time
/// left. Draws
/// nothing where standard error is no terminal. One thread at a time.
class ProgressBar {
 public:
  /// `unit` names what is counted ("rows", "bytes").
  ProgressBar(std::string_view title, std::string unit);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `total` 0: not known yet. `note` stands at the end of the line. Draws at most ten times a
  /// second.
  void Show(int64_t done, int64_t total, std::string_view note);

  /// Takes the line away.
  void Clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string Line(int64_t done, int64_t total, std::string_view note, size_t width) const;

  const std::string title_;
  const std::string unit_;
  const bool on_terminal_;
  const Clock::time_point started_at_;
  Clock::time_point drawn_at_;
  bool drawn_ = false;
};

}  // namespace spillway::cli
