#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/links.h"
#include "storage/maintenance.h"
#include "storage/object_store.h"
#include "storage/s3/client.h"

namespace spillway::storage {

namespace s3 {
class PartPlacer;
struct InPlace;

/// Where a join is divided. Only tests give other limits than these, so that few bytes reach them.
struct JoinLimits {
  /// Of what one request copies: more would only keep the others waiting. No less than two parts
  /// need.
  uint64_t copy_bytes_max = uint64_t{1} << 30;
  /// Of one join; above it, parts are joined in groups first.
  size_t parts_max = kMaxParts;
};
}  // namespace s3

struct S3StoreOptions {
  /// Before every key, "exports/2026"; empty for the whole bucket.
  std::string prefix = {};
  /// The size of the first thousand parts of an upload. It doubles with every further thousand, so
  /// that 10,000 parts hold S3's largest object.
  uint64_t part_bytes = uint64_t{8} << 20;
  /// How many parts of one object, or appends of one part, are sent at the same time.
  size_t parts_in_flight = 4;
  uint64_t bytes_in_flight = uint64_t{64} << 20;
  /// Of objects outside kPrivatePrefix; at most s3::kMaxTags.
  s3::Tags tags = {};
  s3::JoinLimits join = {};
};

/// Objects of a bucket, below a prefix: how stages map to it is docs/adr/0007.
///
/// A writer keeps a part in memory and sends the others; nothing is seen before Finish, and an
/// unfinished upload is aborted. Overwrite::kNever is `If-None-Match: *` on Put and Complete.
///
/// A stage is an empty object with a random id in its metadata, and one object for each Append,
/// named after that id and the offset; so every append is durable when it returns, and epoch is
/// empty. Compose has the server copy (UploadPartCopy) and reads only what is shorter than S3's
/// smallest part. Composing again when the stages are gone succeeds if the object at `key` bears
/// the mark of exactly these ranges. Keys must be UTF-8.
///
/// A stage made for a target may send long appends as parts of the target's own upload, so that
/// they need not be copied: docs/adr/0012.
///
/// Thread-safe. Outlives its writers, readers and stages; the caller outlives it.
class S3Store final : public ObjectStore, public Maintenance, public Links {
 public:
  /// Makes no request yet.
  static Result<std::unique_ptr<S3Store>> Open(s3::Caller& caller, S3StoreOptions options,
                                               Random random);
  /// Also checks that the bucket can be listed.
  static Result<std::unique_ptr<S3Store>> OpenExisting(s3::Caller& caller, S3StoreOptions options,
                                                       Random random);

  Result<std::unique_ptr<ObjectWriter>> Create(std::string_view key, Overwrite overwrite) override;
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key, std::stop_token stop) override;
  Result<std::optional<ObjectInfo>> Head(std::string_view key) override;
  Result<std::vector<ObjectInfo>> List(std::string_view prefix, std::string_view start_after,
                                       size_t limit) override;
  Result<uint64_t> Remove(std::string_view key) override;
  Result<std::unique_ptr<Stage>> CreateStage(std::string_view key,
                                             const std::optional<StageTarget>& target) override;
  Result<> Sync(std::string_view key) override;
  Result<ObjectInfo> Compose(std::string_view key, std::span<const ObjectRange> ranges,
                             std::stop_token stop) override;
  Maintenance* maintenance() override { return this; }
  Links* links() override { return this; }

  Result<std::string> Link(std::string_view key, std::chrono::seconds lifetime,
                           const std::string& file_name) override;

  Result<> ProveCreateOnce() override;

  /// Aborts uploads of processes that died, also those whose creation had no answer; removes what
  /// joins of very many parts left. In a whole bucket, uploads may be anybody's: kRemoveOwn leaves
  /// them.
  Result<size_t> SweepAbandoned(std::chrono::seconds age, Sweep sweep) override;

  Result<> RemoveUnfinished(std::string_view prefix) override;

  s3::Client& client() { return client_; }

 private:
  S3Store(s3::Caller& caller, S3StoreOptions options, Random random);

  Result<std::string> NameOf(std::string_view key) const;
  Result<std::unique_ptr<s3::PartPlacer>> PlacerFor(const StageTarget& target,
                                                    std::string_view stage);
  /// Nothing where the object there does not bear the mark; kCorrupt where it does, and has another
  /// length.
  Result<std::optional<ObjectInfo>> FindComposed(s3::Client& client, std::string_view key,
                                                 const std::string& mark, uint64_t bytes);
  Result<ObjectInfo> ComposeInPlace(s3::Client& client, std::string_view key,
                                    std::span<const ObjectRange> ranges,
                                    const s3::InPlace& in_place);
  Result<std::vector<std::string>> ClaimedUploads();
  std::string NewId();
  std::string NewTemporaryName();

  s3::Client client_;
  const S3StoreOptions options_;
  std::atomic<bool> creates_once_ = false;  // proven
  std::mutex mutex_;
  Random random_;  // guarded by mutex_
};

}  // namespace spillway::storage
