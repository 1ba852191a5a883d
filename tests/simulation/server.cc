#include "simulation/server.h"

#include <functional>
#include <utility>

namespace spillway::simulation {

namespace {

/// The double that a test puts in the thing's place, or the thing.
template <class Thing>
std::unique_ptr<Thing> Replace(const std::function<std::unique_ptr<Thing>(Thing&)>& make_double,
                               Thing& thing) {
  return make_double ? make_double(thing) : nullptr;
}

}  // namespace

Outlook::Outlook(std::string name, Surroundings& surroundings, const Faults& faults)
    : process_(std::move(name), surroundings.scheduler, faults, surroundings.trace,
               surroundings.options.lease),
      store_double_(Replace(surroundings.doubles.store, surroundings.store)),
      storage_double_(
          Replace<storage::ObjectStore>(surroundings.doubles.storage, surroundings.disk)),
      store_(store_double_ ? *store_double_ : surroundings.store, process_,
             surroundings.invariants),
      queue_(surroundings.queue, process_),
      storage_(storage_double_ ? *storage_double_
                               : static_cast<storage::ObjectStore&>(surroundings.disk),
               process_) {
  recipes_.Add(std::make_unique<RowsRecipe>(surroundings.source, storage_, process_));
}

Server::Server(std::string name, Surroundings& surroundings, const Faults& faults)
    : scheduler_(surroundings.scheduler),
      outlook_(name, surroundings, faults),
      heartbeat_(outlook_.store(), outlook_.queue(), surroundings.clock, surroundings.options),
      stagings_(name, surroundings.options.pending_bytes_max),
      context_{.store = outlook_.store(),
               .queue = outlook_.queue(),
               .recipes = outlook_.recipes(),
               .clock = surroundings.clock,
               .log = surroundings.log,
               .options = surroundings.options,
               .signing_key = surroundings.signing_key,
               .owner = name,
               .heartbeat = heartbeat_,
               .stagings = stagings_},
      worker_(context_),
      services_(engine::WorkerServices(context_)),
      engine_(outlook_.store(), outlook_.queue(), outlook_.recipes(), surroundings.options,
              Random(surroundings.scheduler.random().Next())),
      timetable_(surroundings.schedule_clock, surroundings.log),
      has_schedules_(!surroundings.schedules.empty()) {
  timetable_.Add(std::make_unique<engine::Timetable>(engine_, outlook_.store(),
                                                     surroundings.schedule_clock, surroundings.log,
                                                     surroundings.schedules));
}

void Server::Start() {
  const Scheduler::Process process = outlook_.process().id();
  const uint64_t seed = scheduler_.random().Next();
  outlook_.process().Tell("start", "", "");
  scheduler_.Spawn(process, [this] { heartbeat_.Run(stop_.get_token()); });
  scheduler_.Spawn(process, [this, seed] { worker_.Run(stop_.get_token(), seed); });
  scheduler_.Spawn(process, [this] { services_.Run(stop_.get_token()); });
  if (has_schedules_) scheduler_.Spawn(process, [this] { timetable_.Run(stop_.get_token()); });
}

}  // namespace spillway::simulation
