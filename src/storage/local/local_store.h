#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "storage/local/directory_tree.h"
#include "storage/local/open_stages.h"
#include "storage/maintenance.h"
#include "storage/object_store.h"

namespace spillway::storage {

/// Objects as files below one directory; a key is the path from there.
///
/// An object is written to `.spillway/tmp/`, synced, moved to its name (Overwrite::kNever by
/// link(2)) and its directory synced: readers see all of it or nothing, and so does a machine that
/// lost power. Several processes may use one directory. Symbolic links below it are never followed:
/// kPermissionDenied.
///
/// Stage keys must start with `.spillway/`. Compose of exactly the beginning of one stage moves
/// that file (cut to length) without copying its bytes, and consumes it: what else the stage held
/// is gone, and its Append fails from then on. A stage that another living process has open is
/// copied, as is anything else. Composing again when the stage is gone succeeds if `key` has the
/// bytes it should have. A Sync that failed always fails: the kernel may have dropped the bytes.
/// Removing an object or a stage also removes the directories that become empty.
///
/// The store is the directory that its path named when it was opened, also when that was moved since
/// or another one stands there now. Then Finish, PutMany and Compose fail, even where they have done
/// their work in the former one: what they report as published is at the path.
///
/// Opening removes the unfinished files of processes that died. Must outlive its writers, readers
/// and stages.
class LocalStore final : public ObjectStore, public Maintenance {
 public:
  /// kNotFound when there is no such directory.
  static Result<std::unique_ptr<LocalStore>> OpenExisting(const std::string& root);

  /// As OpenExisting, but makes the directory where it is missing.
  static Result<std::unique_ptr<LocalStore>> OpenOrCreate(const std::string& root);

  Result<std::unique_ptr<ObjectWriter>> Create(std::string_view key, Overwrite overwrite) override;
  std::vector<Result<ObjectInfo>> PutMany(std::span<const NewObject> objects) override;
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key, std::stop_token) override;
  Result<std::optional<ObjectInfo>> Head(std::string_view key) override;
  Result<std::vector<ObjectInfo>> List(std::string_view prefix, std::string_view start_after,
                                       size_t limit) override;
  Result<uint64_t> Remove(std::string_view key) override;
  Result<std::unique_ptr<Stage>> CreateStage(std::string_view key,
                                             const std::optional<StageTarget>&) override;
  Result<> Sync(std::string_view key) override;
  Result<ObjectInfo> Compose(std::string_view key, std::span<const ObjectRange> ranges,
                             std::stop_token) override;
  Result<> CheckInPlace() override { return tree_.CheckInPlace(); }
  Maintenance* maintenance() override { return this; }

  Result<> ProveCreateOnce() override { return {}; }
  /// The unfinished files of processes that died, of any age: a lock tells that their owners live.
  Result<size_t> SweepAbandoned(std::chrono::seconds age, Sweep sweep) override;
  Result<> RemoveUnfinished(std::string_view /*prefix*/) override { return {}; }

 private:
  static Result<std::unique_ptr<LocalStore>> Over(Result<DirectoryTree> opened);
  LocalStore(DirectoryTree tree, std::string epoch);

  Result<std::optional<ObjectInfo>> HeadFile(std::string_view key);
  Result<ObjectInfo> HeadPublished(std::string_view key);

  DirectoryTree tree_;
  OpenStages open_stages_;

  std::mutex mutex_;
  std::map<std::string, Error, std::less<>> lost_;  // where Sync has failed, and how; guarded by
                                                    // mutex_
};

}  // namespace spillway::storage
