#include "storage/local/open_stages.h"

#include <fmt/format.h>

namespace spillway::storage {

void OpenStages::Add(const std::string& key, LocalStage& stage) {
  std::lock_guard lock(mutex_);
  stages_.insert_or_assign(key, &stage);
}

void OpenStages::Drop(const std::string& key, const LocalStage& stage) {
  std::lock_guard lock(mutex_);
  const auto found = stages_.find(key);
  if (found != stages_.end() && found->second == &stage) stages_.erase(found);
}

std::optional<SealedStage> OpenStages::Seal(std::string_view key) {
  std::lock_guard lock(mutex_);
  const auto found = stages_.find(key);
  if (found == stages_.end()) return std::nullopt;
  return found->second->Seal();
}

LocalStage::LocalStage(OpenStages& open_stages, std::string key, AppendFile file)
    : open_stages_(open_stages), key_(std::move(key)), file_(std::move(file)) {
  open_stages_.Add(key_, *this);
}

LocalStage::~LocalStage() {
  open_stages_.Drop(key_, *this);
  std::lock_guard until_released_by_compose(mutex_);
  if (!sealed_) static_cast<void>(file_.Truncate(file_.size()));
}

Result<ObjectRange> LocalStage::Append(std::span<const Bytes> pieces, std::stop_token) {
  std::unique_lock lock(mutex_);
  if (sealed_) {
    return Fail(ErrorCode::kConflict,
                fmt::format("{} has been published and takes no more", file_.shown()));
  }
  const uint64_t begin = TRY(file_.Append(pieces));
  const uint64_t end = file_.size();
  const auto due = file_.TakeWritebackDue();
  lock.unlock();
  if (due) file_.StartWriteback(*due);
  return ObjectRange{key_, begin, end - begin};
}

SealedStage LocalStage::Seal() {
  std::unique_lock lock(mutex_);
  sealed_ = true;
  return {std::move(lock), file_};
}

}  // namespace spillway::storage
