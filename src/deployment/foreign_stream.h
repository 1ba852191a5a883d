#pragma once

#include <memory>
#include <utility>

#include "storage/object_store.h"

namespace spillway {

/// Another process's standard output. Nothing can be written there or published; what its exports
/// left beside the stream can be read and removed. Thread-safe.
class ForeignStream final : public storage::ObjectStore {
 public:
  explicit ForeignStream(std::shared_ptr<storage::ObjectStore> rest)
      : ObjectStore({.epoch = rest->traits().epoch}), rest_(std::move(rest)) {}

  const storage::ObjectStore& rest() const { return *rest_; }

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
  const std::shared_ptr<storage::ObjectStore> rest_;
};

}  // namespace spillway
