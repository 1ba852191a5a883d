#include "storage/memory/memory_store.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "storage/key.h"

namespace spillway::storage {
namespace {

using Object = MemoryPlace::Object;

void Append(std::vector<std::byte>& to, Bytes bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

std::unexpected<Error> NotThere(std::string_view key) {
  return Fail(ErrorCode::kNotFound, "there is no object " + std::string(key));
}

std::unexpected<Error> Taken(std::string_view key) {
  return Fail(ErrorCode::kAlreadyExists, "there is an object " + std::string(key) + " already");
}

class MemoryReader final : public ObjectReader {
 public:
  explicit MemoryReader(std::shared_ptr<const Object> object)
      : object_(std::move(object)), size_(object_->bytes.size()) {}

  uint64_t size() const override { return size_; }

  Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) override {
    if (offset >= size_) return 0;
    const size_t bytes = std::min<uint64_t>(into.size(), size_ - offset);
    std::copy_n(object_->bytes.begin() + static_cast<ptrdiff_t>(offset), bytes, into.begin());
    return bytes;
  }

 private:
  std::shared_ptr<const Object> object_;
  uint64_t size_;
};

}  // namespace

class MemoryWriter final : public ObjectWriter {
 public:
  MemoryWriter(MemoryPlace& place, Clock& clock, std::string key, Overwrite overwrite)
      : place_(place), clock_(clock), key_(std::move(key)), overwrite_(overwrite) {}

  Result<> Write(Bytes bytes) override {
    if (object_ == nullptr) return Finished();
    Append(object_->bytes, bytes);
    return {};
  }

  Result<ObjectInfo> Finish() override {
    if (object_ == nullptr) return Finished();
    object_->modified = clock_.Now();
    std::lock_guard lock(place_.mutex_);
    auto object = std::exchange(object_, nullptr);
    if (overwrite_ == Overwrite::kNever && place_.objects_.contains(key_)) return Taken(key_);
    ObjectInfo info = {.key = key_, .bytes = object->bytes.size(), .modified = object->modified};
    place_.objects_.insert_or_assign(key_, std::move(object));
    return info;
  }

 private:
  std::unexpected<Error> Finished() const {
    return Fail(ErrorCode::kInternal, "the writer of " + key_ + " is finished");
  }

  MemoryPlace& place_;
  Clock& clock_;
  const std::string key_;
  const Overwrite overwrite_;
  std::shared_ptr<Object> object_ = std::make_shared<Object>();
};

class MemoryStage final : public Stage {
 public:
  MemoryStage(MemoryPlace& place, Clock& clock, std::string key, std::shared_ptr<Object> object)
      : place_(place), clock_(clock), key_(std::move(key)), object_(std::move(object)) {}

  Result<ObjectRange> Append(std::span<const Bytes> pieces, std::stop_token) override {
    const Timestamp now = clock_.Now();
    std::lock_guard lock(place_.mutex_);
    ObjectRange range = {.key = key_, .offset = object_->bytes.size()};
    for (const Bytes piece : pieces) storage::Append(object_->bytes, piece);
    range.bytes = object_->bytes.size() - range.offset;
    object_->modified = now;
    return range;
  }

 private:
  MemoryPlace& place_;
  Clock& clock_;
  const std::string key_;
  const std::shared_ptr<Object> object_;
};

Result<std::unique_ptr<ObjectWriter>> MemoryStore::Create(std::string_view key,
                                                          Overwrite overwrite) {
  TRY(ValidateKey(key));
  return std::make_unique<MemoryWriter>(place_, clock_, std::string(key), overwrite);
}

Result<std::unique_ptr<ObjectReader>> MemoryStore::Open(std::string_view key, std::stop_token) {
  TRY(ValidateKey(key));
  std::lock_guard lock(place_.mutex_);
  const auto found = place_.objects_.find(key);
  if (found == place_.objects_.end()) return NotThere(key);
  // A stage goes on growing, and growing moves its bytes.
  if (key.starts_with(kPrivatePrefix)) {
    return std::make_unique<MemoryReader>(std::make_shared<Object>(*found->second));
  }
  return std::make_unique<MemoryReader>(found->second);
}

Result<std::optional<ObjectInfo>> MemoryStore::Head(std::string_view key) {
  TRY(ValidateKey(key));
  std::lock_guard lock(place_.mutex_);
  const auto found = place_.objects_.find(key);
  if (found == place_.objects_.end()) return std::nullopt;
  return ObjectInfo{.key = found->first,
                    .bytes = found->second->bytes.size(),
                    .modified = found->second->modified};
}

Result<std::vector<ObjectInfo>> MemoryStore::List(std::string_view prefix,
                                                  std::string_view start_after, size_t limit) {
  // What goes before the last slash names whole segments.
  const size_t slash = prefix.rfind('/');
  if (slash != prefix.npos && prefix != kPrivatePrefix) TRY(ValidateKey(prefix.substr(0, slash)));
  std::vector<ObjectInfo> listed;
  std::lock_guard lock(place_.mutex_);
  auto next = place_.objects_.lower_bound(prefix);
  if (start_after >= prefix) next = place_.objects_.upper_bound(start_after);
  for (; next != place_.objects_.end() && listed.size() < limit; ++next) {
    const auto& [key, object] = *next;
    if (!key.starts_with(prefix)) break;
    if (key.starts_with(kPrivatePrefix) && !prefix.starts_with(kPrivatePrefix)) continue;
    listed.push_back({.key = key, .bytes = object->bytes.size(), .modified = object->modified});
  }
  return listed;
}

Result<uint64_t> MemoryStore::Remove(std::string_view key) {
  TRY(ValidateKey(key));
  std::lock_guard lock(place_.mutex_);
  const auto found = place_.objects_.find(key);
  if (found == place_.objects_.end()) return 0;
  const uint64_t bytes = found->second->bytes.size();
  place_.objects_.erase(found);
  return bytes;
}

Result<std::unique_ptr<Stage>> MemoryStore::CreateStage(std::string_view key,
                                                        const std::optional<StageTarget>&) {
  TRY(ValidateKey(key));
  if (!key.starts_with(kPrivatePrefix)) {
    return Fail(ErrorCode::kInvalidArgument, "the key of a stage must start with " +
                                                 std::string(kPrivatePrefix) + ", " +
                                                 std::string(key) + " does not");
  }
  auto object = std::make_shared<Object>(Object{.modified = clock_.Now()});
  std::lock_guard lock(place_.mutex_);
  if (!place_.objects_.try_emplace(std::string(key), object).second) return Taken(key);
  return std::make_unique<MemoryStage>(place_, clock_, std::string(key), std::move(object));
}

Result<> MemoryStore::Sync(std::string_view key) {
  if (!TRY(Head(key)).has_value()) return NotThere(key);
  return {};
}

Result<ObjectInfo> MemoryStore::Compose(std::string_view key, std::span<const ObjectRange> ranges,
                                        std::stop_token) {
  TRY(ValidateKey(key));
  auto composed = std::make_shared<Object>(Object{.modified = clock_.Now()});
  ObjectInfo info = {.key = std::string(key), .modified = composed->modified};
  for (const ObjectRange& range : ranges) info.bytes += range.bytes;
  std::lock_guard lock(place_.mutex_);
  for (const ObjectRange& range : ranges) {
    TRY(ValidateKey(range.key));
    const auto source = place_.objects_.find(range.key);
    if (source == place_.objects_.end()) {
      const auto before = place_.objects_.find(key);
      if (before == place_.objects_.end() || before->second->bytes.size() != info.bytes) {
        return NotThere(range.key);
      }
      info.modified = before->second->modified;
      return info;
    }
    const Bytes bytes = source->second->bytes;
    if (range.offset > bytes.size() || range.bytes > bytes.size() - range.offset) {
      return Fail(ErrorCode::kCorrupt, "the object " + range.key + " has " +
                                           std::to_string(bytes.size()) +
                                           " bytes, fewer than were staged in it");
    }
    Append(composed->bytes, bytes.subspan(range.offset, range.bytes));
  }
  place_.objects_.insert_or_assign(info.key, std::move(composed));
  return info;
}

}  // namespace spillway::storage
