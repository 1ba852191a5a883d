#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "storage/object_store.h"

namespace spillway::storage {

/// What a memory store holds. Outlives the stores on it, as a disk outlives the processes that
/// write to it. Thread-safe.
class MemoryPlace {
 public:
  struct Object {
    std::vector<std::byte> bytes;
    Timestamp modified;
  };

 private:
  friend class MemoryStore;
  friend class MemoryWriter;
  friend class MemoryStage;

  std::mutex mutex_;
  /// An object that was published is never changed, only replaced; a stage grows in its place.
  std::map<std::string, std::shared_ptr<Object>, std::less<>> objects_;
};

/// Objects in memory, for tests and simulation. What is written is durable at once.
class MemoryStore final : public ObjectStore {
 public:
  MemoryStore(MemoryPlace& place, Clock& clock) : place_(place), clock_(clock) {}

  Result<std::unique_ptr<ObjectWriter>> Create(std::string_view key, Overwrite overwrite) override;
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key, std::stop_token) override;
  Result<std::optional<ObjectInfo>> Head(std::string_view key) override;
  Result<std::vector<ObjectInfo>> List(std::string_view prefix, std::string_view start_after,
                                       size_t limit) override;
  Result<uint64_t> Remove(std::string_view key) override;
  Result<std::unique_ptr<Stage>> CreateStage(std::string_view key,
                                             const std::optional<StageTarget>&) override;
  Result<> Sync(std::string_view key) override;
  Result<ObjectInfo> Compose(std::string_view key, std::span<const ObjectRange> ranges,
                             std::stop_token) override;

 private:
  MemoryPlace& place_;
  Clock& clock_;
};

}  // namespace spillway::storage
