#include "cli/progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "base/control_characters.h"
#include "base/figures.h"

namespace spillway::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr size_t kBarWidth = 28;

size_t TerminalWidth() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void WriteToTerminal(std::string_view text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
  static_cast<void>(std::fflush(stderr));
}

}  // namespace

ProgressBar::ProgressBar(std::string_view title, std::string unit)
    : title_(EscapeControlCharacters(title)),
      unit_(std::move(unit)),
      on_terminal_(isatty(STDERR_FILENO) == 1),
      started_at_(Clock::now()) {}

ProgressBar::~ProgressBar() { Clear(); }

void ProgressBar::Show(int64_t done, int64_t total, std::string_view note) {
  const Clock::time_point now = Clock::now();
  if (!on_terminal_ || (drawn_ && now - drawn_at_ < kRedraw)) return;
  drawn_ = true;
  drawn_at_ = now;
  WriteToTerminal("\r\033[K" + Line(done, total, note, TerminalWidth()));
}

void ProgressBar::Clear() {
  if (!drawn_) return;
  WriteToTerminal("\r\033[K");
  drawn_ = false;
}

std::string ProgressBar::Line(int64_t done, int64_t total, std::string_view note,
                              size_t width) const {
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_at_);
  const double seconds = std::max(0.001, static_cast<double>(elapsed.count()) / 1000);
  const double rate = static_cast<double>(done) / seconds;
  std::string line = title_;
  if (total > 0) {
    const double share =
        std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
    const auto filled = static_cast<size_t>(share * kBarWidth);
    line += "  ";
    for (size_t i = 0; i < kBarWidth; ++i) line += i < filled ? "━" : "╌";
    line += fmt::format("  {:3.0f} %  {}/{} {}", share * 100, ShortCount(static_cast<double>(done)),
                        ShortCount(static_cast<double>(total)), unit_);
    if (rate > 0) {
      const auto left = std::chrono::milliseconds(
          static_cast<int64_t>(static_cast<double>(total - done) / rate * 1000));
      line += fmt::format("  {}/s  {} left", ShortCount(rate), ShortDuration(left));
    }
  } else {
    line += fmt::format("  {} {}", ShortCount(static_cast<double>(done)), unit_);
    if (rate > 0) line += fmt::format("  {}/s", ShortCount(rate));
  }
  if (!note.empty()) line += fmt::format("  {}", note);
  // Two bytes of every bar character take no column; cut whole characters only.
  size_t columns = 0;
  size_t at = 0;
  while (at < line.size() && columns + 1 < width) {
    ++at;
    while (at < line.size() && (static_cast<unsigned char>(line[at]) & 0xC0) == 0x80) ++at;
    ++columns;
  }
  line.resize(at);
  return line;
}

}  // namespace spillway::cli
