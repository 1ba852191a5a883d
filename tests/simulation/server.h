#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/act.h"
#include "engine/engine.h"
#include "engine/worker.h"
#include "maintenance/services.h"
#include "maintenance/timetable.h"
#include "simulation/faulty_queue.h"
#include "simulation/faulty_storage.h"
#include "simulation/faulty_store.h"
#include "simulation/rows_recipe.h"
#include "simulation/source.h"
#include "simulation/world.h"
#include "storage/forwarding_store.h"

namespace spillway::simulation {

/// Everything that outlives the servers.
struct Surroundings {
  Scheduler& scheduler;
  SimulatedClock& clock;
  const engine::Options& options;
  store::JobStore& store;
  store::Queue& queue;
  Disk& disk;
  Source& source;
  Invariants& invariants;
  Log& log;
  const Trace& trace;
  const SigningKey* signing_key;
  const Doubles& doubles;
  Clock& schedule_clock;
  const std::vector<engine::Schedule>& schedules;
};

/// What one process sees of its surroundings: all of it through faults.
class Outlook {
 public:
  Outlook(std::string name, Surroundings& surroundings, const Faults& faults);

  SimulatedProcess& process() { return process_; }
  store::JobStore& store() { return store_; }
  store::Queue& queue() { return queue_; }
  const recipe::Recipes& recipes() const { return recipes_; }

 private:
  SimulatedProcess process_;
  storage::ForwardingStore disk_;  // with the traits it has since the last reboot
  std::unique_ptr<store::JobStore> store_double_;
  std::unique_ptr<storage::ObjectStore> storage_double_;
  FaultyStore store_;
  FaultyQueue queue_;
  FaultyStorage storage_;
  recipe::Recipes recipes_;
};

/// The product's worker, heartbeat and timetable as one process. One thread works: what threads of
/// one process do to each other is the unit tests' part.
class Server {
 public:
  Server(std::string name, Surroundings& surroundings, const Faults& faults);

  void Start();
  /// As on SIGTERM: acts under way are given back.
  void Stop() { stop_.request_stop(); }
  void Kill() { outlook_.process().Crash("killed"); }
  bool HasEnded() { return scheduler_.HasEnded(outlook_.process().id()); }

 private:
  Scheduler& scheduler_;
  Outlook outlook_;
  std::stop_source stop_;
  engine::Heartbeat heartbeat_;
  engine::Stagings stagings_;
  engine::Context context_;
  engine::Worker worker_;
  engine::Services services_;
  engine::Engine engine_;
  engine::Services timetable_;  ///< On the clock of the schedules.
  const bool has_schedules_;
};

}  // namespace spillway::simulation
