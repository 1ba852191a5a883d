#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "storage/s3/client.h"
#include "storage/s3/s3_store.h"

/// Sends parts of a future file directly to where they will be in it, before the rest of it is
/// there: docs/adr/0012.
///
/// The first process that has a part begins the file's multipart upload. A small object beside the
/// stages, the claim, holds the upload's id; the process that puts it first owns the upload and
/// alone sends parts. Each chunk has part numbers of its own, so that what is in stages can be
/// copied in between.
namespace spillway::storage::s3 {

/// The metadata that tells a claim from other objects; its value is the upload's mark.
inline constexpr char kClaimMetadata[] = "spillway-upload";

struct Claim {
  Upload upload;
  std::string mark;  ///< The value of the file's kComposeMetadata.
};

/// Nothing where there is no claim of this name.
Result<std::optional<Claim>> ReadClaim(Client& client, const std::string& name);

/// The bytes of a part are named `<claim>!<mark>`, from the part's number times this on.
inline constexpr uint64_t kPartStride = uint64_t{1} << 33;

/// The claim and the mark in such a name.
struct InPlace {
  std::string claim;
  std::string mark;

  bool operator==(const InPlace&) const = default;
  static std::optional<InPlace> Parse(std::string_view key);
  std::string key() const { return claim + "!" + mark; }
};

/// Sends parts of a target for one stage. Thread-safe.
class PartPlacer {
 public:
  struct Target {
    std::string name;   ///< In the bucket.
    std::string claim;  ///< Its key in the store.
    std::string claim_name;
    int64_t chunks = 1;
    Tags tags = {};
  };

  /// `prove` says whether the server lets one of several claims win.
  PartPlacer(Client& client, Target target, std::string mark, std::function<Result<>()> prove)
      : client_(client),
        target_(std::move(target)),
        mark_(std::move(mark)),
        prove_(std::move(prove)) {}

  /// The key of a claim on `target` beside the stage `stage`.
  static std::string ClaimFor(std::string_view target, std::string_view stage);
  static bool IsClaim(std::string_view key);

  /// A number for the next part of a chunk; nothing where the upload is another's, or the chunk has
  /// no more.
  Result<std::optional<int>> Take(int64_t chunk);

  Result<ObjectRange> Put(int number, Bytes bytes, std::stop_token stop);

 private:
  enum class Owner { kUnknown, kOurs, kOther };

  Result<Owner> Begin();
  Result<> PutClaim();

  Client& client_;
  const Target target_;
  const std::string mark_;
  const std::function<Result<>()> prove_;
  std::mutex mutex_;
  Owner owner_ = Owner::kUnknown;  // guarded by mutex_
  Upload upload_;                  // written once, before a number is taken
  std::map<int64_t, int> taken_;   // by chunk; guarded by mutex_
};

/// Aborts the upload, more than once where parts arrive meanwhile that were on their way (as S3's
/// documentation asks for). What comes later still is for the sweep.
Result<> Abort(Client& client, const Claim& claim);

/// Bytes of stages, and the part in place that follows them; there is none at the end.
struct Stretch {
  std::vector<Extent> extents;
  std::optional<int> number;
  uint64_t bytes = 0;  ///< Of the part.
};

/// Copies what is not there yet between the parts that are, and completes the upload. Repeatable.
/// kCorrupt where a part is missing or of another length.
Result<> Complete(Client& client, const S3StoreOptions& options, const Claim& claim,
                  std::span<const Stretch> stretches, const std::function<std::string()>& new_name);

}  // namespace spillway::storage::s3
