#pragma once

#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/object_store.h"
#include "storage/s3/caller.h"

namespace spillway::storage::s3 {

/// What S3 limits (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
inline constexpr uint64_t kMinPartBytes = uint64_t{5} << 20;  ///< Of all parts but the last.
inline constexpr uint64_t kMaxPartBytes = uint64_t{5} << 30;
inline constexpr int kMaxParts = 10'000;
inline constexpr size_t kMaxDeletes = 1'000;

/// User metadata: names without the `x-amz-meta-` before them, in lower case.
using Metadata = std::map<std::string, std::string>;
using Tags = std::map<std::string, std::string>;

struct Object {
  std::string key;
  uint64_t bytes = 0;
  Timestamp modified;
  std::string etag;
  Metadata metadata = {};  ///< From Head only.
};

/// One page of a listing.
struct ListPage {
  std::vector<Object> objects;
  bool truncated = false;  ///< There are more after the last one.
  std::string next_token = {};
};

/// Properties of a new object.
struct Placement {
  /// Fails with kAlreadyExists instead of replacing another object.
  bool if_absent = false;
  std::string content_type = "application/octet-stream";
  Metadata metadata = {};
  Tags tags = {};
};

struct UploadedPart {
  int number = 0;
  std::string etag;
  std::string crc32c = {};  ///< Base64; empty for copied parts.
};

/// A part that an upload already has.
struct StoredPart {
  int number = 0;
  uint64_t bytes = 0;
  std::string etag = {};
};

/// A run of bytes inside one object of the bucket.
struct Extent {
  ObjectRange range;
  std::string etag;           ///< May be empty.
  uint64_t object_bytes = 0;  ///< Of the whole object; 0 where that is not known.

  bool operator==(const Extent&) const = default;
};

/// A multipart upload.
struct Upload {
  std::string key;
  std::string id;
  /// Whether it was begun with CRC-32C checksums, as uploads whose parts are copied are not.
  bool checksums = false;
  Timestamp begun_at = {};  ///< From ListUploads only.
};

/// The operations of S3's REST API that Spillway uses, on one bucket: docs.aws.amazon.com/AmazonS3/
/// latest/API. Errors by their meaning (failure.h). Thread-safe.
class Client {
 public:
  explicit Client(Caller& caller, std::stop_token stop = {})
      : caller_(caller), stop_(std::move(stop)) {}

  /// The same bucket, by calls that end with kCancelled within a second of `stop`.
  Client StoppedBy(std::stop_token stop) const { return Client(caller_, std::move(stop)); }

  Result<std::optional<Object>> Head(const std::string& key);

  /// Reads into the span from `offset`, all of it; kConflict when the object is no longer the one
  /// with this etag (may be empty).
  Result<> Get(const std::string& key, uint64_t offset, std::span<std::byte> into,
               const std::string& etag);

  /// Sends a CRC-32C, which the server checks and keeps. A mark in the object's metadata shows
  /// whether an attempt succeeded whose answer was lost. kAlreadyExists with if_absent when another
  /// object is there.
  Result<> Put(const std::string& key, const std::vector<Bytes>& pieces,
               const Placement& placement);

  /// kUnavailable when somebody aborted the upload meanwhile: begin it again.
  Result<Upload> CreateUpload(const std::string& key, const Placement& placement, bool checksums);
  Result<UploadedPart> UploadPart(const Upload& upload, int number,
                                  const std::vector<Bytes>& pieces);
  Result<UploadedPart> UploadPartCopy(const Upload& upload, int number, const Extent& source);
  /// `mark` is metadata that the upload was created with. If an earlier attempt succeeded and its
  /// answer was lost, the object has it. After a failure, `record` tells whether the server may
  /// still be completing the upload.
  Result<> CompleteUpload(const Upload& upload, const std::vector<UploadedPart>& parts,
                          bool if_absent, const Metadata& mark, aws::CallRecord* record = nullptr);
  Result<> AbortUpload(const Upload& upload);
  /// In the order of their numbers; kNotFound when there is no such upload (any more).
  Result<std::vector<StoredPart>> ListParts(const Upload& upload);
  Result<std::vector<Upload>> ListUploads(const std::string& prefix);

  /// Copies a whole object of up to kMaxPartBytes by one request; join.h's Copy takes any.
  /// The copy has this metadata in place of its source's, and these tags where there are any.
  /// kConflict when the source is no longer the one with its etag (may be empty).
  Result<> Copy(const Extent& source, const std::string& key, const Placement& placement);

  Result<Tags> GetTags(const std::string& key);

  /// Up to 1,000 objects in byte order of their keys. The server may list fewer than there are: the
  /// listing has ended only when it is not truncated. A truncated page has at least one object,
  /// after which the next page begins.
  Result<ListPage> List(const std::string& prefix, const std::string& start_after, size_t limit);

  Result<> Delete(const std::string& key);
  /// Any number of keys, 1,000 a request.
  Result<> DeleteAll(std::span<const std::string> keys);

  Result<std::string> PresignGet(const std::string& key, std::chrono::seconds lifetime,
                                 const std::string& download_name = "");

  /// A moment by the server's clock.
  Timestamp Now() { return caller_.Now(); }

 private:
  std::vector<http::Header> PlacementHeaders(const Placement& placement) const;
  Result<> JudgeConflict(const std::string& key, const Metadata& mark, bool if_absent,
                         const aws::CallRecord& record, Error error);

  Result<http::Response> Send(const Call& call, aws::CallRecord* record = nullptr);
  Result<http::Response> SendPart(const Call& call);

  Caller& caller_;
  const std::stop_token stop_;
};

}  // namespace spillway::storage::s3
