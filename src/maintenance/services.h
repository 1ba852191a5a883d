#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "engine/act.h"

namespace spillway::engine {

/// Something that every process does from time to time, so that jobs, files and schedules stay in
/// order without an operator. Used by one thread at a time.
class Service {
 public:
  virtual ~Service() = default;

  virtual std::string_view name() const = 0;
  virtual std::chrono::milliseconds period() const = 0;

  /// Does what is due. After `stop` it begins nothing more.
  virtual Result<> Run(std::stop_token stop) = 0;
};

/// Runs services, each in its own period. A service that fails or throws does not stop the others,
/// and runs again when it is next due. Used by one thread.
class Services {
 public:
  Services(Clock& clock, Log& log) : clock_(clock), log_(log) {}

  /// Runs for the first time at once.
  void Add(std::unique_ptr<Service> service);
  /// Runs for the first time after one period.
  void AddLater(std::unique_ptr<Service> service);

  /// Runs what is due; the first error.
  Result<> RunDue(std::stop_token stop = {});

  /// Runs what is due, until `stop`. An error is logged unless it is the same as the last time.
  void Run(std::stop_token stop);

 private:
  struct Entry {
    std::unique_ptr<Service> service;
    Timestamp due_at;
    std::string last_error = {};
  };

  Clock& clock_;
  Log& log_;
  std::vector<Entry> entries_;
};

/// What every process that works on jobs runs: the rescuer, the closing of stagings that nobody
/// uses any more, and, ten times as rarely, the sweeper and the expirer. `context` outlives it.
Services WorkerServices(Context& context);

}  // namespace spillway::engine
