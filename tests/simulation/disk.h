#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "storage/memory/memory_store.h"

namespace spillway::simulation {

/// A machine's disk, shared by its processes. Published objects survive a reboot; staged bytes do
/// as far as they were synced.
class Disk final : public storage::ObjectStore {
 public:
  struct Options {
    bool durable = false;           ///< Every append is durable at once, as in a bucket.
    bool consumes_sources = false;  ///< Compose moves a stage that is a whole object.
  };

  /// Hears of every change, right after it.
  using Observer = std::function<void(const std::string& key)>;

  Disk(Clock& clock, Options options) : options_(options), store_(place_, clock) {}

  void OnChange(Observer observer) { changed_ = std::move(observer); }

  /// Loses, cuts and garbles what was not synced. Every process has to be dead.
  void Reboot(Random& random);
  /// Nothing staged can be removed any more, until it is unsealed.
  void Seal(bool sealed) { sealed_ = sealed; }
  bool was_rebooted() const { return epoch_ > 1; }
  /// As a process finds it that starts now.
  storage::Traits CurrentTraits() const {
    return {.epoch = options_.durable ? "" : std::to_string(epoch_)};
  }

  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view key,
                                                        storage::Overwrite overwrite) override;
  Result<std::unique_ptr<storage::ObjectReader>> Open(std::string_view key,
                                                      std::stop_token) override {
    return store_.Open(key, {});
  }
  Result<std::optional<storage::ObjectInfo>> Head(std::string_view key) override {
    return store_.Head(key);
  }
  Result<std::vector<storage::ObjectInfo>> List(std::string_view prefix,
                                                std::string_view start_after,
                                                size_t limit) override {
    return store_.List(prefix, start_after, limit);
  }
  Result<uint64_t> Remove(std::string_view key) override;
  Result<std::unique_ptr<storage::Stage>> CreateStage(
      std::string_view key, const std::optional<storage::StageTarget>& target) override;
  Result<> Sync(std::string_view key) override;
  Result<storage::ObjectInfo> Compose(std::string_view key,
                                      std::span<const storage::ObjectRange> ranges,
                                      std::stop_token) override;

  void Changed(const std::string& key) {
    if (changed_) changed_(key);
  }

  std::string Read(const std::string& key);

 private:
  const Options options_;
  storage::MemoryPlace place_;
  storage::MemoryStore store_;
  std::map<std::string, uint64_t> synced_;  ///< Bytes of each stage.
  int epoch_ = 1;
  bool sealed_ = false;
  Observer changed_;
};

}  // namespace spillway::simulation
