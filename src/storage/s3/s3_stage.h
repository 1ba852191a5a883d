#pragma once

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/s3/client.h"
#include "storage/s3/join_plan.h"

namespace spillway::storage::s3 {

/// The metadata that tells a stage from an object; its value is the stage's id.
inline constexpr char kStageMetadata[] = "spillway-stage";

class PartPlacer;

/// A stage and its appends: docs/adr/0007.
class S3Stage final : public Stage {
 public:
  /// `placer` takes what may be put in place; may be null.
  S3Stage(Client& client, std::string key, std::string name, std::string id,
          std::unique_ptr<PartPlacer> placer);
  ~S3Stage() override;

  Result<ObjectRange> Append(std::span<const Bytes> pieces, std::stop_token stop) override;
  std::future<Result<ObjectRange>> Begin(Bytes bytes, std::optional<int64_t> chunk,
                                         std::stop_token stop) override;

 private:
  ObjectRange Reserve(uint64_t bytes);
  Result<ObjectRange> Put(ObjectRange range, const std::vector<Bytes>& pieces,
                          std::stop_token stop);

  Client& client_;
  const std::string key_;
  const std::string name_;
  const std::string id_;
  const std::unique_ptr<PartPlacer> placer_;
  std::mutex mutex_;
  uint64_t end_ = 0;  // guarded by mutex_
};

/// The names of the objects that hold a stage's bytes: `<stage>!<id>-<offset>`.
std::string AppendName(const std::string& stage, const std::string& id, uint64_t offset);

/// The stage an append belongs to; nothing for what is no append.
std::optional<std::string_view> StageOfAppend(std::string_view name);

/// Every append of a stage, whatever its id.
Result<std::vector<Object>> ListAppends(Client& client, const std::string& stage,
                                        const std::string& id = "");

/// Where the bytes of one object or stage are in the bucket.
class Source {
 public:
  /// kNotFound when there is none.
  static Result<Source> Find(Client& client, const std::string& name);

  uint64_t bytes() const { return bytes_; }
  Timestamp modified() const { return modified_; }

  /// The pieces of objects that hold a run of bytes; kCorrupt when some of them are not there.
  Result<std::vector<Extent>> Cut(uint64_t offset, uint64_t bytes) const;

 private:
  std::string name_;
  std::map<uint64_t, Extent> extents_;  // by their place in the whole
  uint64_t bytes_ = 0;
  Timestamp modified_;
};

}  // namespace spillway::storage::s3
