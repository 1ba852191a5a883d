#include "simulation/faulty_storage.h"

#include <array>
#include <utility>

namespace spillway::simulation {
namespace {

using storage::Bytes;

class FaultyWriter final : public storage::ObjectWriter {
 public:
  FaultyWriter(SimulatedProcess& process, std::string key, std::unique_ptr<ObjectWriter> writer)
      : process_(process), key_(std::move(key)), writer_(std::move(writer)) {}

  Result<> Write(Bytes bytes) override {
    return process_.Call("write", key_, [&] { return writer_->Write(bytes); });
  }

  Result<storage::ObjectInfo> Finish() override {
    return process_.Call("finish", key_, [&] { return writer_->Finish(); });
  }

 private:
  SimulatedProcess& process_;
  const std::string key_;
  std::unique_ptr<ObjectWriter> writer_;
};

class FaultyReader final : public storage::ObjectReader {
 public:
  FaultyReader(SimulatedProcess& process, std::string key, std::unique_ptr<ObjectReader> reader)
      : process_(process), key_(std::move(key)), reader_(std::move(reader)) {}

  uint64_t size() const override { return reader_->size(); }

  Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) override {
    return process_.Call("read", key_, [&] { return reader_->ReadAt(offset, into); });
  }

 private:
  SimulatedProcess& process_;
  const std::string key_;
  std::unique_ptr<ObjectReader> reader_;
};

class FaultyStage final : public storage::Stage {
 public:
  FaultyStage(SimulatedProcess& process, std::string key, std::unique_ptr<Stage> stage)
      : process_(process), key_(std::move(key)), stage_(std::move(stage)) {}

  Result<storage::ObjectRange> Append(std::span<const Bytes> pieces, std::stop_token) override {
    if (process_.alive() && process_.Strikes(process_.faults().tear_append)) return Tear(pieces);
    return process_.Call("append", key_, [&] { return stage_->Append(pieces, {}); });
  }

 private:
  Result<storage::ObjectRange> Tear(std::span<const Bytes> pieces) {
    const Bytes first = pieces.front();
    const size_t kept = process_.scheduler().random().Below(first.size() + 1);
    static_cast<void>(stage_->Append(std::array{first.first(kept)}, {}));
    process_.Tell("append", key_, "torn");
    if (process_.Strikes(0.5)) process_.Crash("append");
    return FailTransient(ErrorCode::kUnavailable, "simulated: append is torn");
  }

  SimulatedProcess& process_;
  const std::string key_;
  std::unique_ptr<Stage> stage_;
};

}  // namespace

Result<std::unique_ptr<storage::ObjectWriter>> FaultyStorage::Create(std::string_view key,
                                                                     storage::Overwrite overwrite) {
  auto writer = TRY(process_.Call("create", key, [&] { return disk_.Create(key, overwrite); }));
  return std::make_unique<FaultyWriter>(process_, std::string(key), std::move(writer));
}

Result<std::unique_ptr<storage::ObjectReader>> FaultyStorage::Open(std::string_view key,
                                                                   std::stop_token) {
  auto reader = TRY(process_.Call("open", key, [&] { return disk_.Open(key, {}); }));
  return std::make_unique<FaultyReader>(process_, std::string(key), std::move(reader));
}

Result<std::optional<storage::ObjectInfo>> FaultyStorage::Head(std::string_view key) {
  return process_.Call("head", key, [&] { return disk_.Head(key); });
}

Result<std::vector<storage::ObjectInfo>> FaultyStorage::List(std::string_view prefix,
                                                             std::string_view start_after,
                                                             size_t limit) {
  return process_.Call("list", prefix, [&] { return disk_.List(prefix, start_after, limit); });
}

Result<uint64_t> FaultyStorage::Remove(std::string_view key) {
  return process_.Call("remove", key, [&] { return disk_.Remove(key); });
}

Result<std::unique_ptr<storage::Stage>> FaultyStorage::CreateStage(
    std::string_view key, const std::optional<storage::StageTarget>& target) {
  auto stage = TRY(process_.Call("stage", key, [&] { return disk_.CreateStage(key, target); }));
  return std::make_unique<FaultyStage>(process_, std::string(key), std::move(stage));
}

Result<> FaultyStorage::Sync(std::string_view key) {
  return process_.Call("sync", key, [&] { return disk_.Sync(key); });
}

Result<storage::ObjectInfo> FaultyStorage::Compose(std::string_view key,
                                                   std::span<const storage::ObjectRange> ranges,
                                                   std::stop_token) {
  return process_.Call("compose", key, [&] { return disk_.Compose(key, ranges, {}); });
}

}  // namespace spillway::simulation
