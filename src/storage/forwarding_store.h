#pragma once

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/object_store.h"

namespace spillway::storage {

/// Passes every call on to another store. Tests derive from it and override what shall be
/// different. PutMany calls Create, so that an overridden Create is used.
class ForwardingStore : public ObjectStore {
 public:
  /// `store` outlives it.
  explicit ForwardingStore(ObjectStore& store) : ForwardingStore(store, store.traits()) {}
  ForwardingStore(ObjectStore& store, Traits traits)
      : ObjectStore(std::move(traits)), store_(store) {}

  Result<std::unique_ptr<ObjectWriter>> Create(std::string_view key, Overwrite overwrite) override {
    return store_.Create(key, overwrite);
  }
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key, std::stop_token stop) override {
    return store_.Open(key, std::move(stop));
  }
  Result<std::optional<ObjectInfo>> Head(std::string_view key) override { return store_.Head(key); }
  Result<std::vector<ObjectInfo>> List(std::string_view prefix, std::string_view start_after,
                                       size_t limit) override {
    return store_.List(prefix, start_after, limit);
  }
  Result<uint64_t> Remove(std::string_view key) override { return store_.Remove(key); }
  Result<std::unique_ptr<Stage>> CreateStage(std::string_view key,
                                             const std::optional<StageTarget>& target) override {
    return store_.CreateStage(key, target);
  }
  Result<> Sync(std::string_view key) override { return store_.Sync(key); }
  Result<ObjectInfo> Compose(std::string_view key, std::span<const ObjectRange> ranges,
                             std::stop_token stop) override {
    return store_.Compose(key, ranges, std::move(stop));
  }
  Result<> CheckInPlace() override { return store_.CheckInPlace(); }
  Maintenance* maintenance() override { return store_.maintenance(); }
  Links* links() override { return store_.links(); }

 protected:
  ObjectStore& store_;
};

}  // namespace spillway::storage
