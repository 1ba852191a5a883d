#include "storage/s3/failure.h"

#include <array>
#include <string_view>

#include <pugixml.hpp>

namespace spillway::storage::s3 {
namespace {

using aws::Verdict;

constexpr ErrorCode kAway = ErrorCode::kUnavailable;
constexpr ErrorCode kDenied = ErrorCode::kPermissionDenied;
constexpr ErrorCode kWrong = ErrorCode::kInvalidArgument;

/// Not S3's own: the code of a success that did not arrive whole.
constexpr std::string_view kCutShort = "the answer was cut short";

constexpr std::array kCodes = std::to_array<aws::CodeMeaning>({
    {"SlowDown", kAway, Verdict::kThrottled},
    {"ServiceUnavailable", kAway, Verdict::kTransient},
    {"InternalError", kAway, Verdict::kTransient},
    {"RequestTimeout", kAway, Verdict::kTransient},
    {"Throttling", kAway, Verdict::kThrottled},
    {"ThrottlingException", kAway, Verdict::kThrottled},
    {"RequestLimitExceeded", kAway, Verdict::kThrottled},
    {"BandwidthLimitExceeded", kAway, Verdict::kThrottled},
    {"OperationAborted", kAway, Verdict::kTransient},
    {"ConditionalRequestConflict", kAway, Verdict::kTransient},
    {"IncompleteBody", kAway, Verdict::kTransient},
    {kCutShort, kAway, Verdict::kUnknown},
    // Versity's gateway, where another request just took a folder away that had become empty.
    {"ExistingObjectIsDirectory", ErrorCode::kConflict, Verdict::kTransient},
    {"BadDigest", ErrorCode::kCorrupt, Verdict::kTransient},
    {"InvalidDigest", ErrorCode::kCorrupt, Verdict::kTransient},
    {"XAmzContentChecksumMismatch", ErrorCode::kCorrupt, Verdict::kTransient},
    {"XAmzContentSHA256Mismatch", ErrorCode::kCorrupt, Verdict::kTransient},
    {"NoSuchKey", ErrorCode::kNotFound},
    {"NoSuchBucket", ErrorCode::kNotFound},
    {"NoSuchUpload", ErrorCode::kNotFound},
    {"AccessDenied", kDenied, Verdict::kNotAllowed},
    {"AccountProblem", kDenied},
    {"AllAccessDisabled", kDenied},
    {"ExpiredToken", kDenied, Verdict::kExpiredCredentials},
    {"InvalidAccessKeyId", kDenied},
    {"InvalidToken", kDenied, Verdict::kExpiredCredentials},
    {"RequestTimeTooSkewed", kDenied, Verdict::kClockSkew},
    {"SignatureDoesNotMatch", kDenied},
    {"PreconditionFailed", ErrorCode::kConflict},
    {"EntityTooLarge", ErrorCode::kOutOfSpace},
    {"QuotaExceeded", ErrorCode::kOutOfSpace},
    {"XMinioStorageFull", ErrorCode::kOutOfSpace},
    {"InvalidRange", ErrorCode::kCorrupt},
    {"NotImplemented", ErrorCode::kUnsupported},
    {"MethodNotAllowed", ErrorCode::kUnsupported},
    {"AuthorizationHeaderMalformed", kWrong},
    {"PermanentRedirect", kWrong},
    {"InvalidBucketName", kWrong},
});

/// Advice where the error itself does not tell what to do.
std::string AdviceOn(std::string_view code, const pugi::xml_node& error,
                     const http::Response& response) {
  std::string region = error.child_value("Region");
  if (region.empty()) region = response.Find("x-amz-bucket-region").value_or("");
  if (response.status == 301 || code == "AuthorizationHeaderMalformed" ||
      code == "PermanentRedirect")
    return region.empty() ? "the bucket is in another region" : "set the region to " + region;
  if (code == "NoSuchBucket") return "create the bucket, or correct its name";
  if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch")
    return "the credentials are wrong";
  return "";
}

bool IsMutation(const aws::Call& call) { return call.method == "PUT" || call.method == "POST"; }

}  // namespace

std::span<const aws::CodeMeaning> ErrorCodes() { return kCodes; }

std::string PermissionOf(const std::string& action) {
  return action + " in the bucket's or the role's policy";
}

std::optional<aws::Refusal> ReadRefusal(const aws::Call& call, const http::Response& response) {
  if (response.ok() && !IsMutation(call)) return std::nullopt;
  pugi::xml_document document;
  const bool whole = document.load_buffer(response.body.data(), response.body.size());
  const pugi::xml_node error = document.child("Error");
  if (response.ok() && !error) {
    if (call.answer.empty() || (whole && document.document_element().name() == call.answer))
      return std::nullopt;
    return aws::Refusal{.code = std::string(kCutShort),
                        .message = "it is no whole " + std::string(call.answer)};
  }
  aws::Refusal refusal{.code = error.child_value("Code"), .message = error.child_value("Message")};
  refusal.advice = AdviceOn(refusal.code, error, response);
  return refusal;
}

Error JudgeDelete(const std::string& what, const std::string& code, const std::string& message) {
  return aws::Judge({.code = code, .message = message}, kCodes, 500, what,
                    PermissionOf("s3:DeleteObject"))
      .error;
}

}  // namespace spillway::storage::s3
