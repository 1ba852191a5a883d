#pragma once

#include "simulation/process.h"
#include "storage/object_store.h"

namespace spillway::simulation {

/// A disk as one process sees it.
class FaultyStorage final : public storage::ObjectStore {
 public:
  FaultyStorage(ObjectStore& disk, SimulatedProcess& process)
      : ObjectStore(disk.traits()), disk_(disk), process_(process) {}

  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view key,
                                                        storage::Overwrite overwrite) override;
  Result<std::unique_ptr<storage::ObjectReader>> Open(std::string_view key,
                                                      std::stop_token) override;
  Result<std::optional<storage::ObjectInfo>> Head(std::string_view key) override;
  Result<std::vector<storage::ObjectInfo>> List(std::string_view prefix,
                                                std::string_view start_after,
                                                size_t limit) override;
  Result<uint64_t> Remove(std::string_view key) override;
  Result<std::unique_ptr<storage::Stage>> CreateStage(
      std::string_view key, const std::optional<storage::StageTarget>& target) override;
  Result<> Sync(std::string_view key) override;
  Result<storage::ObjectInfo> Compose(std::string_view key,
                                      std::span<const storage::ObjectRange> ranges,
                                      std::stop_token) override;

 private:
  ObjectStore& disk_;
  SimulatedProcess& process_;
};

}  // namespace spillway::simulation
