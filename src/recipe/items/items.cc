#include "recipe/items/items.h"

#include <algorithm>

namespace spillway::recipe::items {
namespace {

Result<> RemoveStale(storage::ObjectStore& store, const Item& item) {
  for (const std::string& key : item.stale_keys) TRY(store.Remove(key));
  return {};
}

}  // namespace

Result<> File::Append(storage::Bytes bytes) {
  hash_.Update(bytes);
  bytes_ += bytes.size();
  waiting_.Append(bytes);
  if (waiting_.size() < kInMemoryMax) return {};
  if (writer_ == nullptr) writer_ = TRY(store_->Create(key_, storage::Overwrite::kAllowed));
  TRY(writer_->Write(waiting_.bytes()));
  waiting_.Clear();
  return {};
}

Result<> File::Finish() {
  sha256_ = ToHex(hash_.Finish());
  if (writer_ == nullptr) return {};
  TRY(writer_->Write(waiting_.bytes()));
  waiting_.Clear();
  return {};
}

Result<std::vector<Result<>>> File::Put(storage::ObjectStore& store, std::span<File* const> files) {
  std::vector<storage::NewObject> small;
  for (const File* file : files) {
    if (file->writer_ == nullptr) small.push_back({file->key_, file->waiting_.bytes()});
  }
  const std::vector<Result<storage::ObjectInfo>> put = store.PutMany(small);
  if (!put.empty() && std::ranges::none_of(put, &Result<storage::ObjectInfo>::has_value)) {
    return std::unexpected(put.front().error());
  }
  std::vector<Result<>> became;
  size_t next = 0;
  for (File* file : files) {
    const Result<storage::ObjectInfo> info =
        file->writer_ == nullptr ? put[next++] : file->writer_->Finish();
    if (info.has_value()) {
      became.emplace_back();
    } else {
      became.emplace_back(std::unexpected(info.error()));
    }
  }
  return became;
}

Result<std::vector<Result<>>> PutInPlace(storage::ObjectStore& store, std::span<Item> items) {
  std::vector<File*> files;
  for (Item& item : items) {
    for (File& file : item.files) files.push_back(&file);
  }
  const std::vector<Result<>> put = TRY(File::Put(store, files));
  std::vector<Result<>> became;
  auto next = put.begin();
  for (const Item& item : items) {
    const auto end = next + static_cast<ptrdiff_t>(item.files.size());
    const auto failed = std::ranges::find_if_not(next, end, &Result<>::has_value);
    became.push_back(failed == end ? RemoveStale(store, item) : *failed);
    next = end;
  }
  return became;
}

}  // namespace spillway::recipe::items
