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

/// Parts of a file to be, sent where they are to stand before the rest of it is there:
/// docs/adr/0012.
///
/// The file's multipart upload is begun by the first process that has a part for it. A small object
/// beside the stages, the claim, holds the upload's id; who puts it first has the upload and alone
/// sends parts. Each chunk has numbers of its own for them, so that what stands in stages can be
/// copied in between.
namespace spillway::storage::s3 {

/// The metadata that tells a claim from other objects; its value is the upload's mark.
inline constexpr char kClaimMetadata[] = "spillway-upload";

struct Claim {
  Upload upload;
  std::string mark;  ///< What the file bears as kComposeMetadata.
};

/// Nothing where there is no claim of this name.
Result<std::optional<Claim>> ReadClaim(Client& client, const std::string& name);

/// What the bytes of a part are called: `<claim>!<mark>`, and its number times this.
inline constexpr uint64_t kPartStride = uint64_t{1} << 33;

/// The claim and the mark of such bytes.
struct InPlace {
  std::string claim;
  std::string mark;

  bool operator==(const InPlace&) const = default;
  static std::optional<InPlace> Parse(std::string_view key);
  std::string key() const { return claim + "!" + mark; }
};

/// A target's parts as one stage sends them. Thread-safe.
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

/// Bytes of stages and the part in place that they stand before; without one at the end.
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
