#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "storage/local/append_file.h"
#include "storage/object_store.h"

namespace spillway::storage {

class LocalStage;

/// The file of a stage that takes no more bytes. Nobody else uses the file while this exists.
struct SealedStage {
  std::unique_lock<std::mutex> lock;
  AppendFile& file;
};

/// The stages this process has open in one store, by key. Thread-safe.
class OpenStages {
 public:
  void Add(const std::string& key, LocalStage& stage);
  void Drop(const std::string& key, const LocalStage& stage);

  /// Nothing when no such stage is open.
  std::optional<SealedStage> Seal(std::string_view key);

 private:
  std::mutex mutex_;
  std::map<std::string, LocalStage*, std::less<>> stages_;  // guarded by mutex_
};

/// A stage as a file, locked (flock) as long as its owner lives.
class LocalStage final : public Stage {
 public:
  LocalStage(OpenStages& open_stages, std::string key, AppendFile file);
  ~LocalStage() override;

  Result<ObjectRange> Append(std::span<const Bytes> pieces, std::stop_token) override;

  SealedStage Seal();

 private:
  OpenStages& open_stages_;
  const std::string key_;
  std::mutex mutex_;
  AppendFile file_;      // guarded by mutex_
  bool sealed_ = false;  // guarded by mutex_
};

}  // namespace spillway::storage
