#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/s3/client.h"

/// The documents of S3's API. kCorrupt for text that cannot be parsed or is another document.
namespace spillway::storage::s3 {

/// Of ListObjectsV2 with encoding-type=url.
Result<ListPage> ParseList(const std::string& body);

struct UploadsPage {
  std::vector<Upload> uploads;
  bool truncated = false;
  std::string next_key = {};
  std::string next_upload = {};
};
Result<UploadsPage> ParseUploads(const std::string& body);

struct PartsPage {
  std::vector<StoredPart> parts;
  bool truncated = false;
};
Result<PartsPage> ParseParts(const std::string& body);

/// The text of one element of a document's root, as of <UploadId> or <ETag>.
Result<std::string> ParseElement(const std::string& body, const char* name);

Result<Tags> ParseTags(const std::string& body);

/// What became of a key that was to be deleted.
struct DeleteRefusal {
  std::string key;
  std::string code;
  std::string message;
};
/// The first of a DeleteObjects answer.
Result<std::optional<DeleteRefusal>> ParseDeleteRefusal(const std::string& body);

std::string CompleteDocument(const std::vector<UploadedPart>& parts);
std::string DeleteDocument(std::span<const std::string> keys);

}  // namespace spillway::storage::s3
