#pragma once

#include <chrono>
#include <stop_token>
#include <string>

namespace spillway {

/// A moment as the records keep it: microseconds of UTC since 1970-01-01.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

/// The instants from `begin` up to, and without, `end`.
struct TimeRange {
  Timestamp begin;
  Timestamp end;
  bool operator==(const TimeRange&) const = default;
};

/// The source of time. It is passed in everywhere, so that tests can control it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual Timestamp Now() = 0;

  /// How long the machine has been awake since some moment: stands still while it sleeps, and nobody
  /// sets it.
  virtual std::chrono::microseconds Awake() { return Now().time_since_epoch(); }

  /// Returns after `duration`, or as soon as `stop` is requested.
  virtual void SleepFor(std::chrono::microseconds duration, std::stop_token stop) = 0;
};

/// The machine's own clock.
class SystemClock final : public Clock {
 public:
  Timestamp Now() override;
  std::chrono::microseconds Awake() override;
  void SleepFor(std::chrono::microseconds duration, std::stop_token stop) override;
};

/// RFC 3339 in UTC with microseconds: "2026-01-31T23:59:59.000001Z".
std::string FormatTimestamp(Timestamp time);

}  // namespace spillway
