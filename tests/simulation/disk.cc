#include "simulation/disk.h"

#include <array>
#include <utility>
#include <vector>

namespace spillway::simulation {
namespace {

using storage::Bytes;

class DiskWriter final : public storage::ObjectWriter {
 public:
  DiskWriter(Disk& disk, std::unique_ptr<ObjectWriter> writer)
      : disk_(disk), writer_(std::move(writer)) {}

  Result<> Write(Bytes bytes) override { return writer_->Write(bytes); }

  Result<storage::ObjectInfo> Finish() override {
    storage::ObjectInfo info = TRY(writer_->Finish());
    disk_.Changed(info.key);
    return info;
  }

 private:
  Disk& disk_;
  std::unique_ptr<ObjectWriter> writer_;
};

class DiskStage final : public storage::Stage {
 public:
  DiskStage(Disk& disk, std::string key, std::unique_ptr<Stage> stage)
      : disk_(disk), key_(std::move(key)), stage_(std::move(stage)) {}

  Result<storage::ObjectRange> Append(std::span<const Bytes> pieces, std::stop_token) override {
    storage::ObjectRange range = TRY(stage_->Append(pieces, {}));
    disk_.Changed(key_);
    return range;
  }

 private:
  Disk& disk_;
  const std::string key_;
  std::unique_ptr<Stage> stage_;
};

}  // namespace

Result<std::unique_ptr<storage::ObjectWriter>> Disk::Create(std::string_view key,
                                                            storage::Overwrite overwrite) {
  return std::make_unique<DiskWriter>(*this, TRY(store_.Create(key, overwrite)));
}

Result<uint64_t> Disk::Remove(std::string_view key) {
  if (sealed_) return Fail(ErrorCode::kUnavailable, "simulated: the disk removes nothing");
  const uint64_t bytes = TRY(store_.Remove(key));
  synced_.erase(std::string(key));
  Changed(std::string(key));
  return bytes;
}

Result<std::unique_ptr<storage::Stage>> Disk::CreateStage(
    std::string_view key, const std::optional<storage::StageTarget>&) {
  auto stage = TRY(store_.CreateStage(key, {}));
  synced_[std::string(key)] = 0;
  Changed(std::string(key));
  return std::make_unique<DiskStage>(*this, std::string(key), std::move(stage));
}

Result<> Disk::Sync(std::string_view key) {
  const auto info = TRY(store_.Head(key));
  if (!info.has_value()) return Fail(ErrorCode::kNotFound, "there is no stage " + std::string(key));
  synced_[std::string(key)] = info->bytes;
  return {};
}

Result<storage::ObjectInfo> Disk::Compose(std::string_view key,
                                          std::span<const storage::ObjectRange> ranges,
                                          std::stop_token) {
  storage::ObjectInfo info = TRY(store_.Compose(key, ranges, {}));
  if (options_.consumes_sources && ranges.size() == 1) {
    const auto source = TRY(store_.Head(ranges[0].key));
    if (source.has_value() && source->bytes == ranges[0].bytes) {
      TRY(store_.Remove(ranges[0].key));
      synced_.erase(ranges[0].key);
    }
  }
  Changed(std::string(key));
  return info;
}

std::string Disk::Read(const std::string& key) {
  const auto reader = store_.Open(key, {});
  if (!reader.has_value()) return "(" + reader.error().message + ")";
  std::string text((*reader)->size(), '\0');
  static_cast<void>((*reader)->ReadAt(0, std::as_writable_bytes(std::span(text))));
  return text;
}

void Disk::Reboot(Random& random) {
  ++epoch_;
  if (options_.durable) return;
  const std::map<std::string, uint64_t> stages = std::exchange(synced_, {});
  for (const auto& [key, synced] : stages) {
    std::string text = Read(key);
    static_cast<void>(store_.Remove(key));
    if (synced == 0 && random.Below(3) == 0) continue;
    if (text.size() > synced) {
      if (random.Below(2) == 0) text.resize(synced + random.Below(text.size() - synced + 1));
      if (text.size() > synced && random.Below(2) == 0) {
        text[synced + random.Below(text.size() - synced)] = '\0';
      }
    }
    const auto stage = store_.CreateStage(key, {});
    static_cast<void>((*stage)->Append(std::array{std::as_bytes(std::span(text))}, {}));
    synced_[key] = text.size();
  }
}

}  // namespace spillway::simulation
