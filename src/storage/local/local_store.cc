#include "storage/local/local_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>

#include <fmt/format.h>

#include "base/directory_sync.h"
#include "storage/key.h"
#include "storage/local/compose.h"
#include "storage/local/directory_listing.h"
#include "storage/local/path_error.h"
#include "storage/local/put_many.h"
#include "storage/local/temporary_file.h"

namespace spillway::storage {
namespace {

class LocalWriter final : public ObjectWriter {
 public:
  LocalWriter(const DirectoryTree& tree, TemporaryFile file, std::string key, Overwrite overwrite)
      : tree_(tree), file_(std::move(file)), key_(std::move(key)), overwrite_(overwrite) {}

  Result<> Write(Bytes bytes) override {
    if (failed_) return std::unexpected(*failed_);
    if (auto written = file_.file().Append({&bytes, 1}); !written) {
      failed_ = std::move(written).error();
      return std::unexpected(*failed_);
    }
    if (auto due = file_.file().TakeWritebackDue()) file_.file().StartWriteback(*due);
    return {};
  }

  Result<ObjectInfo> Finish() override {
    if (failed_) return std::unexpected(*failed_);
    failed_ = Error{.message = fmt::format("{} is finished already", file_.file().shown())};
    ObjectInfo published = TRY(file_.Publish(key_, overwrite_));
    TRY(tree_.CheckInPlace());
    return published;
  }

 private:
  const DirectoryTree& tree_;
  TemporaryFile file_;
  const std::string key_;
  const Overwrite overwrite_;
  std::optional<Error> failed_;
};

class LocalReader final : public ObjectReader {
 public:
  LocalReader(FileDescriptor file, std::string shown, uint64_t size)
      : file_(std::move(file)), shown_(std::move(shown)), size_(size) {}

  uint64_t size() const override { return size_; }

  Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) override {
    if (offset >= size_) return 0;
    if (into.size() > size_ - offset) into = into.first(size_ - offset);
    size_t filled = 0;
    while (filled < into.size()) {
      const ssize_t got = pread(file_.get(), into.data() + filled, into.size() - filled,
                                static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::unexpected(PathError(errno, "read", shown_));
      if (got == 0) {
        return Fail(
            ErrorCode::kCorrupt,
            fmt::format("{} became shorter while it was read: do not alter files in a store",
                        shown_));
      }
      filled += static_cast<size_t>(got);
    }
    return filled;
  }

 private:
  const FileDescriptor file_;
  const std::string shown_;
  const uint64_t size_;
};

bool Absent(int errno_value) { return errno_value == ENOENT || errno_value == ENOTDIR; }

Result<std::string> BootId() {
  std::string id;
  if (std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id)) return id;
  return Fail(ErrorCode::kUnavailable,
              "cannot read /proc/sys/kernel/random/boot_id; mount /proc, it tells whether the "
              "machine restarted");
}

Result<> ValidatePrefix(std::string_view prefix) {
  const size_t slash = prefix.rfind('/');
  if (slash == std::string_view::npos || prefix == kPrivatePrefix) return {};
  return ValidateKey(prefix.substr(0, slash));
}

}  // namespace

Result<std::unique_ptr<LocalStore>> LocalStore::OpenExisting(const std::string& root) {
  return Over(DirectoryTree::Open(root, false));
}

Result<std::unique_ptr<LocalStore>> LocalStore::OpenOrCreate(const std::string& root) {
  return Over(DirectoryTree::Open(root, true));
}

Result<std::unique_ptr<LocalStore>> LocalStore::Over(Result<DirectoryTree> opened) {
  DirectoryTree tree = TRY(std::move(opened));
  std::string epoch = TRY(BootId());
  return std::unique_ptr<LocalStore>(new LocalStore(std::move(tree), std::move(epoch)));
}

LocalStore::LocalStore(DirectoryTree tree, std::string epoch)
    : ObjectStore({.epoch = std::move(epoch)}), tree_(std::move(tree)) {
  SweepAbandonedFiles(tree_, /*remove=*/true);
}

Result<std::unique_ptr<ObjectWriter>> LocalStore::Create(std::string_view key,
                                                         Overwrite overwrite) {
  TRY(ValidateKey(key));
  if (key.starts_with(kTemporaryPrefix)) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} is reserved for unfinished files: choose another name", tree_.Show(key)));
  }
  if (overwrite == Overwrite::kNever && TRY(HeadFile(key)).has_value()) {
    return std::unexpected(PathError(EEXIST, "write", tree_.Show(key)));
  }
  return std::make_unique<LocalWriter>(tree_, TRY(TemporaryFile::Create(tree_, key)),
                                       std::string(key), overwrite);
}

std::vector<Result<ObjectInfo>> LocalStore::PutMany(std::span<const NewObject> objects) {
  return PutManyFiles(tree_, objects);
}

Result<std::unique_ptr<ObjectReader>> LocalStore::Open(std::string_view key, std::stop_token) {
  TRY(ValidateKey(key));
  auto file = tree_.OpenFile(key, O_RDONLY);
  struct stat status;
  if (!file || fstat(file->get(), &status) != 0) {
    return std::unexpected(PathError(file ? errno : file.error(), "open", tree_.Show(key)));
  }
  return std::make_unique<LocalReader>(*std::move(file), tree_.Show(key),
                                       static_cast<uint64_t>(status.st_size));
}

Result<std::optional<ObjectInfo>> LocalStore::Head(std::string_view key) {
  TRY(ValidateKey(key));
  return HeadFile(key);
}

Result<std::optional<ObjectInfo>> LocalStore::HeadFile(std::string_view key) {
  const auto status = tree_.Status(key);
  if (!status && Absent(status.error())) return std::nullopt;
  if (!status) return std::unexpected(PathError(status.error(), "read", tree_.Show(key)));
  if (!S_ISREG(status->st_mode)) return std::nullopt;
  return ObjectInfo{std::string(key), static_cast<uint64_t>(status->st_size), ModifiedOf(*status)};
}

Result<std::vector<ObjectInfo>> LocalStore::List(std::string_view prefix,
                                                 std::string_view start_after, size_t limit) {
  TRY(ValidatePrefix(prefix));
  return ListTree(tree_, prefix, start_after, limit);
}

Result<uint64_t> LocalStore::Remove(std::string_view key) {
  TRY(ValidateKey(key));
  const auto found = TRY(HeadFile(key));
  if (!found) return 0;
  const auto place = tree_.Locate(key, Missing::kFail);
  if (!place && Absent(place.error())) return 0;
  if (!place) return std::unexpected(PathError(place.error(), "remove", tree_.Show(key)));
  if (unlinkat(place->directory.get(), place->name.c_str(), 0) != 0) {
    if (errno == ENOENT) return 0;
    return std::unexpected(PathError(errno, "remove", tree_.Show(key)));
  }
  if (!key.starts_with(kPrivatePrefix) && SyncDirectory(place->directory.get()) != 0) {
    return std::unexpected(PathError(errno, "remove", tree_.Show(key)));
  }
  tree_.Prune(key);
  return found->bytes;
}

Result<std::unique_ptr<Stage>> LocalStore::CreateStage(std::string_view key,
                                                       const std::optional<StageTarget>&) {
  TRY(ValidateKey(key));
  if (!key.starts_with(kPrivatePrefix) || key.starts_with(kTemporaryPrefix)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no stage: its key must start with {} but not with {}", key,
                            kPrivatePrefix, kTemporaryPrefix));
  }
  auto file = tree_.CreateFile(key, Missing::kCreateDurable);
  if (!file && file.error() == ENOENT) TRY(tree_.CheckInPlace());
  if (!file) return std::unexpected(PathError(file.error(), "create", tree_.Show(key)));
  flock(file->get(), LOCK_EX | LOCK_NB);
  return std::make_unique<LocalStage>(
      open_stages_, std::string(key),
      AppendFile(*std::move(file), tree_.Show(key), AppendFile::Path::kDirect));
}

Result<> LocalStore::Sync(std::string_view key) {
  TRY(ValidateKey(key));
  const std::string shown = tree_.Show(key);
  {
    std::lock_guard lock(mutex_);
    if (const auto lost = lost_.find(key); lost != lost_.end())
      return std::unexpected(lost->second);
  }
  const auto place = tree_.Locate(key, Missing::kFail);
  const auto file = tree_.OpenFile(key, O_RDONLY);
  if (!place || !file)
    return std::unexpected(PathError(file ? place.error() : file.error(), "open", shown));
  if (fdatasync(file->get()) == 0 && SyncDirectory(place->directory.get()) == 0) return {};
  Error error = PathError(errno, "sync", shown);
  error.retryable = false;
  std::lock_guard lock(mutex_);
  return std::unexpected(lost_.emplace(key, std::move(error)).first->second);
}

Result<ObjectInfo> LocalStore::Compose(std::string_view key, std::span<const ObjectRange> ranges,
                                       std::stop_token) {
  TRY(ValidateKey(key));
  for (const ObjectRange& range : ranges) TRY(ValidateKey(range.key));
  if (const auto whole = WholeStage(ranges)) {
    if (TRY(PublishByMove(tree_, open_stages_, *whole, key))) return HeadPublished(key);
  }
  const auto copied = PublishByCopy(tree_, ranges, key);
  if (copied) return HeadPublished(key);
  if (copied.error().code == ErrorCode::kNotFound) {
    const auto composed_before = TRY(HeadFile(key));
    if (composed_before && composed_before->bytes == TotalBytes(ranges)) return HeadPublished(key);
  }
  return std::unexpected(copied.error());
}

Result<size_t> LocalStore::SweepAbandoned(std::chrono::seconds, Sweep sweep) {
  return SweepAbandonedFiles(tree_, sweep != Sweep::kCount);
}

Result<ObjectInfo> LocalStore::HeadPublished(std::string_view key) {
  auto info = TRY(HeadFile(key));
  if (!info)
    return Fail(ErrorCode::kConflict,
                fmt::format("{} was removed while it was published", tree_.Show(key)));
  TRY(tree_.CheckInPlace());
  return *std::move(info);
}

}  // namespace spillway::storage
