#include "simulation/server.h"

#include <utility>

namespace spillway::simulation {

Outlook::Outlook(std::string name, Surroundings& surroundings, const Faults& faults)
    : process_(std::move(name), surroundings.scheduler, faults, surroundings.trace,
               surroundings.options.lease),
      store_(surroundings.store, process_, surroundings.invariants),
      queue_(surroundings.queue, process_),
      storage_(surroundings.disk, process_),
      store_double_(&store_),
      queue_double_(&queue_),
      storage_double_(&storage_) {
  const Doubles& doubles = surroundings.doubles;
  if (doubles.store) store_double_ = (own_store_ = doubles.store(store_)).get();
  if (doubles.queue) queue_double_ = (own_queue_ = doubles.queue(queue_)).get();
  if (doubles.storage) storage_double_ = (own_storage_ = doubles.storage(storage_)).get();
  recipes_.Add(std::make_unique<RowsRecipe>(surroundings.source, *storage_double_, process_));
}

Server::Server(std::string name, Surroundings& surroundings, const Faults& faults)
    : scheduler_(surroundings.scheduler),
      outlook_(name, surroundings, faults),
      heartbeat_(outlook_.store(), surroundings.clock, surroundings.options),
      stagings_(name, surroundings.options),
      worker_(engine::Context{.store = outlook_.store(),
                              .queue = outlook_.queue(),
                              .recipes = outlook_.recipes(),
                              .clock = surroundings.clock,
                              .log = surroundings.log,
                              .options = surroundings.options,
                              .signing_key = surroundings.signing_key,
                              .owner = name,
                              .heartbeat = heartbeat_,
                              .stagings = stagings_}) {}

void Server::Start() {
  const Scheduler::Process process = outlook_.process().id();
  const uint64_t seed = scheduler_.random().Next();
  outlook_.process().Tell("start", "", "");
  scheduler_.Spawn(process, [this] { heartbeat_.Run(stop_.get_token()); });
  scheduler_.Spawn(process, [this, seed] { worker_.Run(stop_.get_token(), seed); });
}

}  // namespace spillway::simulation
