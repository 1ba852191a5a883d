#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "storage/object_store.h"

namespace spillway::lake {

/// A store whose process dies at the n-th call that could change something or say something: that
/// call and all later ones fail. For tests.
class FailingStore final : public storage::ObjectStore {
 public:
  /// Whether the fatal call still takes effect before its answer is lost.
  enum class Fatal { kBefore, kAfter };

  FailingStore(storage::ObjectStore& store, int64_t calls_before_death, Fatal fatal)
      : ObjectStore(store.traits()),
        store_(store),
        calls_left_(calls_before_death),
        fatal_(fatal) {}

  bool died() const { return calls_left_ < 0; }

  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view key,
                                                        storage::Overwrite overwrite) override {
    auto writer = Call([&] { return store_.Create(key, overwrite); });
    if (!writer) return std::unexpected(writer.error());
    return std::make_unique<Writer>(*this, *std::move(writer));
  }
  Result<std::unique_ptr<storage::ObjectReader>> Open(std::string_view key,
                                                      std::stop_token) override {
    return Call([&] { return store_.Open(key, {}); });
  }
  Result<std::optional<storage::ObjectInfo>> Head(std::string_view key) override {
    return Call([&] { return store_.Head(key); });
  }
  Result<std::vector<storage::ObjectInfo>> List(std::string_view prefix,
                                                std::string_view start_after,
                                                size_t limit) override {
    return Call([&] { return store_.List(prefix, start_after, limit); });
  }
  Result<uint64_t> Remove(std::string_view key) override {
    return Call([&] { return store_.Remove(key); });
  }
  Result<std::unique_ptr<storage::Stage>> CreateStage(
      std::string_view key, const std::optional<storage::StageTarget>& target) override {
    return Call([&] { return store_.CreateStage(key, target); });
  }
  Result<> Sync(std::string_view key) override {
    return Call([&] { return store_.Sync(key); });
  }
  Result<storage::ObjectInfo> Compose(std::string_view key,
                                      std::span<const storage::ObjectRange> ranges,
                                      std::stop_token) override {
    return Call([&] { return store_.Compose(key, ranges, {}); });
  }

 private:
  class Writer final : public storage::ObjectWriter {
   public:
    Writer(FailingStore& owner, std::unique_ptr<storage::ObjectWriter> writer)
        : owner_(owner), writer_(std::move(writer)) {}
    Result<> Write(storage::Bytes bytes) override {
      return owner_.Call([&] { return writer_->Write(bytes); });
    }
    Result<storage::ObjectInfo> Finish() override {
      return owner_.Call([&] { return writer_->Finish(); });
    }

   private:
    FailingStore& owner_;
    std::unique_ptr<storage::ObjectWriter> writer_;
  };

  template <class Operation>
  auto Call(Operation operation) -> decltype(operation()) {
    const int64_t left = calls_left_.fetch_sub(1);
    if (left > 0) return operation();
    if (left == 0 && fatal_ == Fatal::kAfter) static_cast<void>(operation().has_value());
    return FailTransient(ErrorCode::kUnavailable, "the process died");
  }

  storage::ObjectStore& store_;
  std::atomic<int64_t> calls_left_;
  const Fatal fatal_;
};

}  // namespace spillway::lake
