#include "storage/s3/client.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <sstream>

#include <date/date.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/digest.h"
#include "http/percent_encoding.h"
#include "storage/s3/failure.h"
#include "storage/s3/xml.h"

namespace spillway::storage::s3 {
namespace {

constexpr std::string_view kUploadGone = "NoSuchUpload";
constexpr std::string_view kMetaPrefix = "x-amz-meta-";

std::string Crc32cOf(const std::vector<Bytes>& pieces) {
  uint32_t crc = 0;
  for (const Bytes piece : pieces) crc = Crc32c(crc, piece);
  const unsigned char big_endian[4] = {
      static_cast<unsigned char>(crc >> 24), static_cast<unsigned char>(crc >> 16),
      static_cast<unsigned char>(crc >> 8), static_cast<unsigned char>(crc)};
  unsigned char base64[9];
  EVP_EncodeBlock(base64, big_endian, sizeof big_endian);
  return reinterpret_cast<const char*>(base64);
}

std::vector<Bytes> PiecesOf(const std::string& text) { return {std::as_bytes(std::span(text))}; }

std::string FormOf(const Tags& tags) {
  std::string form;
  for (const auto& [name, value] : tags) {
    if (!form.empty()) form += '&';
    form += http::PercentEncode(name) + "=" + http::PercentEncode(value);
  }
  return form;
}

Object ObjectOf(const std::string& key, const http::Response& response) {
  Object object{.key = key, .etag = std::string(response.Find("etag").value_or(""))};
  const std::string_view length = response.Find("content-length").value_or("0");
  std::from_chars(length.data(), length.data() + length.size(), object.bytes);
  std::istringstream text{std::string(response.Find("last-modified").value_or(""))};
  date::sys_seconds time;
  text >> date::parse("%a, %d %b %Y %T GMT", time);
  object.modified = Timestamp(time.time_since_epoch());
  for (const http::Header& header : response.headers) {
    std::string name = header.name;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (name.starts_with(kMetaPrefix))
      object.metadata[name.substr(kMetaPrefix.size())] = header.value;
  }
  return object;
}

std::unexpected<Error> EndlessListing() {
  return Fail(ErrorCode::kCorrupt,
              "the server truncated a listing and cannot continue where it ended");
}

std::string SourceHeader(const std::string& bucket, const std::string& key) {
  return "/" + http::PercentEncode(bucket + "/" + key, http::Slash::kKeep);
}

}  // namespace

std::vector<http::Header> Client::PlacementHeaders(const Placement& placement) const {
  std::vector<http::Header> headers = {{"content-type", placement.content_type}};
  for (const auto& [name, value] : placement.metadata)
    headers.push_back({std::string(kMetaPrefix) + name, value});
  if (!placement.tags.empty()) headers.push_back({"x-amz-tagging", FormOf(placement.tags)});
  const Encryption& encryption = caller_.options().encryption;
  if (encryption.kind == Encryption::Kind::kS3)
    headers.push_back({"x-amz-server-side-encryption", "AES256"});
  if (encryption.kind == Encryption::Kind::kKms) {
    headers.push_back({"x-amz-server-side-encryption", "aws:kms"});
    if (!encryption.kms_key.empty())
      headers.push_back({"x-amz-server-side-encryption-aws-kms-key-id", encryption.kms_key});
    if (encryption.bucket_key)
      headers.push_back({"x-amz-server-side-encryption-bucket-key-enabled", "true"});
  }
  return headers;
}

Result<http::Response> Client::Send(const Call& call, aws::CallRecord* record) {
  return caller_.Send(call, stop_, record);
}

Result<std::optional<Object>> Client::Head(const std::string& key) {
  Result<http::Response> response = Send({.method = "HEAD", .key = key});
  if (response.has_value()) return ObjectOf(key, *response);
  if (response.error().code == ErrorCode::kNotFound) return std::optional<Object>();
  return std::unexpected(std::move(response).error());
}

Result<> Client::Get(const std::string& key, uint64_t offset, std::span<std::byte> into,
                     const std::string& etag) {
  if (into.empty()) return {};
  size_t done = 0;
  Call call{.method = "GET",
            .key = key,
            .headers = {{"range", fmt::format("bytes={}-{}", offset, offset + into.size() - 1)}}};
  if (!etag.empty()) call.headers.push_back({"if-match", etag});
  call.restart = [&] { done = 0; };
  call.sink = [&](Bytes bytes) -> Result<> {
    if (bytes.size() > into.size() - done)
      return Fail(ErrorCode::kUnsupported, "the server did not return the requested range");
    std::memcpy(into.data() + done, bytes.data(), bytes.size());
    done += bytes.size();
    return {};
  };
  TRY(Send(call));
  if (done == into.size()) return {};
  return Fail(ErrorCode::kCorrupt,
              fmt::format("s3://{}/{} holds {} bytes, but bytes up to {} were to be read",
                          caller_.options().bucket, key, offset + done, offset + into.size()));
}

/// Decides what it means that a call found the key taken or its upload gone: perhaps an earlier
/// attempt succeeded, but its answer was lost. Even a first attempt may have been sent twice, since
/// libcurl repeats a request that a kept connection has swallowed.
Result<> Client::JudgeConflict(const std::string& key, const Metadata& mark, bool if_absent,
                               const aws::CallRecord& record, Error error) {
  const bool gone = record.failure_code == kUploadGone;
  const bool taken = if_absent && error.code == ErrorCode::kConflict;
  if (!gone && !taken) return std::unexpected(std::move(error));
  const std::optional<Object> object = TRY(Head(key));
  const bool is_ours =
      object.has_value() && !mark.empty() && std::ranges::all_of(mark, [&](const auto& entry) {
        const auto found = object->metadata.find(entry.first);
        return found != object->metadata.end() && found->second == entry.second;
      });
  if (is_ours) return {};
  const bool exists = taken && (object.has_value() || record.failure_code == "PreconditionFailed" ||
                                record.failure_code == "HTTP 412");
  error.code = exists ? ErrorCode::kAlreadyExists : ErrorCode::kUnavailable;
  error.retryable = !exists;
  return std::unexpected(std::move(error));
}

Result<> Client::Put(const std::string& key, const std::vector<Bytes>& pieces,
                     const Placement& placement) {
  Call call{.method = "PUT", .key = key, .headers = PlacementHeaders(placement), .body = pieces};
  call.headers.push_back({kChecksumHeader, Crc32cOf(pieces)});
  if (placement.if_absent) call.headers.push_back({"if-none-match", "*"});
  aws::CallRecord record;
  Result<http::Response> response = Send(call, &record);
  if (response.has_value()) return {};
  return JudgeConflict(key, placement.metadata, placement.if_absent, record,
                       std::move(response).error());
}

Result<Upload> Client::CreateUpload(const std::string& key, const Placement& placement,
                                    bool checksums) {
  Call call{.method = "POST",
            .key = key,
            .query = {{"uploads", ""}},
            .headers = PlacementHeaders(placement)};
  if (checksums) call.headers.push_back({"x-amz-checksum-algorithm", "CRC32C"});
  const http::Response response = TRY(Send(call));
  std::string id = TRY(ParseElement(response.body, "UploadId"));
  return Upload{.key = key, .id = std::move(id), .checksums = checksums};
}

Result<http::Response> Client::SendPart(const Call& call) {
  aws::CallRecord record;
  Result<http::Response> response = Send(call, &record);
  if (!response.has_value() && record.failure_code == kUploadGone) {
    response.error().code = ErrorCode::kUnavailable;
    response.error().retryable = true;
  }
  return response;
}

Result<UploadedPart> Client::UploadPart(const Upload& upload, int number,
                                        const std::vector<Bytes>& pieces) {
  Call call{.method = "PUT",
            .key = upload.key,
            .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload.id}},
            .body = pieces};
  UploadedPart part{.number = number};
  if (upload.checksums) {
    part.crc32c = Crc32cOf(pieces);
    call.headers.push_back({kChecksumHeader, part.crc32c});
  }
  const http::Response response = TRY(SendPart(call));
  part.etag = response.Find("etag").value_or("");
  return part;
}

Result<UploadedPart> Client::UploadPartCopy(const Upload& upload, int number,
                                            const Extent& source) {
  const auto& [key, offset, bytes] = source.range;
  Call call{.method = "PUT",
            .key = upload.key,
            .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload.id}},
            .headers = {{"x-amz-copy-source", SourceHeader(caller_.options().bucket, key)}},
            .idle_timeout = caller_.options().copy_timeout};
  // The API allows no range for a source of 5 MiB or less.
  if (bytes != source.object_bytes) {
    call.headers.push_back(
        {"x-amz-copy-source-range", fmt::format("bytes={}-{}", offset, offset + bytes - 1)});
  }
  if (!source.etag.empty()) call.headers.push_back({"x-amz-copy-source-if-match", source.etag});
  const http::Response response = TRY(SendPart(call));
  std::string etag = TRY(ParseElement(response.body, "ETag"));
  return UploadedPart{.number = number, .etag = std::move(etag)};
}

Result<> Client::CompleteUpload(const Upload& upload, const std::vector<UploadedPart>& parts,
                                bool if_absent, const Metadata& mark, aws::CallRecord* record) {
  const std::string document = CompleteDocument(parts);
  Call call{.method = "POST",
            .key = upload.key,
            .query = {{"uploadId", upload.id}},
            .headers = {{"content-type", "application/xml"}},
            .body = PiecesOf(document),
            .answer = "CompleteMultipartUploadResult",
            .idle_timeout = caller_.options().copy_timeout};
  if (if_absent) call.headers.push_back({"if-none-match", "*"});
  aws::CallRecord own;
  aws::CallRecord& seen = record != nullptr ? *record : own;
  Result<http::Response> response = Send(call, &seen);
  if (response.has_value()) return {};
  return JudgeConflict(upload.key, mark, if_absent, seen, std::move(response).error());
}

Result<> Client::AbortUpload(const Upload& upload) {
  const Result<http::Response> response =
      Send({.method = "DELETE", .key = upload.key, .query = {{"uploadId", upload.id}}});
  if (response.has_value() || response.error().code == ErrorCode::kNotFound) return {};
  return std::unexpected(response.error());
}

Result<std::vector<StoredPart>> Client::ListParts(const Upload& upload) {
  std::vector<StoredPart> parts;
  while (true) {
    const int after = parts.empty() ? 0 : parts.back().number;
    const http::Response response =
        TRY(Send({.method = "GET",
                  .key = upload.key,
                  .query = {{"max-parts", "1000"},
                            {"part-number-marker", std::to_string(after)},
                            {"uploadId", upload.id}}}));
    PartsPage page = TRY(ParseParts(response.body));
    if (page.truncated && (page.parts.empty() || page.parts.back().number <= after))
      return EndlessListing();
    std::ranges::move(page.parts, std::back_inserter(parts));
    if (!page.truncated) return parts;
  }
}

Result<std::vector<Upload>> Client::ListUploads(const std::string& prefix) {
  std::vector<Upload> uploads;
  aws::Query query = {{"uploads", ""}, {"prefix", prefix}};
  while (true) {
    const http::Response response = TRY(Send({.method = "GET", .query = query}));
    UploadsPage page = TRY(ParseUploads(response.body));
    std::ranges::move(page.uploads, std::back_inserter(uploads));
    if (!page.truncated) return uploads;
    if (page.next_key.empty()) return EndlessListing();
    query = {{"uploads", ""},
             {"prefix", prefix},
             {"key-marker", page.next_key},
             {"upload-id-marker", page.next_upload}};
  }
}

Result<> Client::Copy(const Extent& source, const std::string& key, const Placement& placement) {
  Call call{.method = "PUT",
            .key = key,
            .headers = PlacementHeaders(placement),
            .answer = "CopyObjectResult",
            .idle_timeout = caller_.options().copy_timeout};
  call.headers.push_back(
      {"x-amz-copy-source", SourceHeader(caller_.options().bucket, source.range.key)});
  if (!source.etag.empty()) call.headers.push_back({"x-amz-copy-source-if-match", source.etag});
  call.headers.push_back({"x-amz-metadata-directive", "REPLACE"});
  // Setting tags is an action of its own in policies.
  if (!placement.tags.empty()) call.headers.push_back({"x-amz-tagging-directive", "REPLACE"});
  TRY(Send(call));
  return {};
}

Result<Tags> Client::GetTags(const std::string& key) {
  const http::Response response =
      TRY(Send({.method = "GET", .key = key, .query = {{"tagging", ""}}}));
  return ParseTags(response.body);
}

Result<ListPage> Client::List(const std::string& prefix, const std::string& start_after,
                              size_t limit) {
  const aws::Query query = {{"list-type", "2"},
                            {"encoding-type", "url"},
                            {"prefix", prefix},
                            {"max-keys", std::to_string(std::min<size_t>(limit, 1000))}};
  std::string token;
  while (true) {
    Call call{.method = "GET", .query = query};
    if (!start_after.empty()) call.query.emplace_back("start-after", start_after);
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    ListPage page = TRY(ParseList(TRY(Send(call)).body));
    if (!page.objects.empty() && page.objects.front().key <= start_after) return EndlessListing();
    if (!page.truncated || !page.objects.empty()) return page;
    if (page.next_token.empty() || page.next_token == token) return EndlessListing();
    token = std::move(page.next_token);
  }
}

Result<> Client::Delete(const std::string& key) {
  const Result<http::Response> response = Send({.method = "DELETE", .key = key});
  if (response.has_value() || response.error().code == ErrorCode::kNotFound) return {};
  return std::unexpected(response.error());
}

Result<> Client::DeleteAll(std::span<const std::string> keys) {
  while (!keys.empty()) {
    const auto batch = keys.first(std::min(keys.size(), kMaxDeletes));
    const std::string document = DeleteDocument(batch);
    const std::vector<Bytes> body = PiecesOf(document);
    const http::Response response = TRY(
        Send({.method = "POST",
              .query = {{"delete", ""}},
              .headers = {{"content-type", "application/xml"}, {kChecksumHeader, Crc32cOf(body)}},
              .body = body}));
    if (const auto refusal = TRY(ParseDeleteRefusal(response.body)); refusal.has_value()) {
      const std::string what = "DELETE s3://" + caller_.options().bucket + "/" + refusal->key;
      return std::unexpected(JudgeDelete(what, refusal->code, refusal->message));
    }
    keys = keys.subspan(batch.size());
  }
  return {};
}

Result<std::string> Client::PresignGet(const std::string& key, std::chrono::seconds lifetime,
                                       const std::string& download_name) {
  aws::Query query;
  if (!download_name.empty()) {
    query.emplace_back("response-content-disposition",
                       "attachment; filename*=UTF-8''" + http::PercentEncode(download_name));
  }
  return caller_.Presign("GET", key, query, lifetime);
}

}  // namespace spillway::storage::s3
