#include "storage/s3/failure.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include <fmt/format.h>
#include <pugixml.hpp>

namespace spillway::storage::s3 {
namespace {

struct Kind {
  std::string_view code;
  ErrorCode means;
  bool retryable;
};

constexpr ErrorCode kAway = ErrorCode::kUnavailable;
constexpr ErrorCode kDenied = ErrorCode::kPermissionDenied;
constexpr ErrorCode kWrong = ErrorCode::kInvalidArgument;

constexpr std::array kKinds = std::to_array<Kind>({
    {"SlowDown", kAway, true},
    {"ServiceUnavailable", kAway, true},
    {"InternalError", kAway, true},
    {"RequestTimeout", kAway, true},
    {"Throttling", kAway, true},
    {"ThrottlingException", kAway, true},
    {"RequestLimitExceeded", kAway, true},
    {"BandwidthLimitExceeded", kAway, true},
    {"OperationAborted", kAway, true},
    {"ConditionalRequestConflict", kAway, true},
    {"IncompleteBody", kAway, true},
    // Versity's gateway, where another request just took a folder away that had become empty.
    {"ExistingObjectIsDirectory", ErrorCode::kConflict, true},
    {"BadDigest", ErrorCode::kCorrupt, true},
    {"InvalidDigest", ErrorCode::kCorrupt, true},
    {"XAmzContentChecksumMismatch", ErrorCode::kCorrupt, true},
    {"XAmzContentSHA256Mismatch", ErrorCode::kCorrupt, true},
    {"NoSuchKey", ErrorCode::kNotFound, false},
    {"NoSuchBucket", ErrorCode::kNotFound, false},
    {"NoSuchUpload", ErrorCode::kNotFound, false},
    {"AccessDenied", kDenied, false},
    {"AccountProblem", kDenied, false},
    {"AllAccessDisabled", kDenied, false},
    {"ExpiredToken", kDenied, false},
    {"InvalidAccessKeyId", kDenied, false},
    {"InvalidToken", kDenied, false},
    {"RequestTimeTooSkewed", kDenied, false},
    {"SignatureDoesNotMatch", kDenied, false},
    {"PreconditionFailed", ErrorCode::kConflict, false},
    {"EntityTooLarge", ErrorCode::kOutOfSpace, false},
    {"QuotaExceeded", ErrorCode::kOutOfSpace, false},
    {"XMinioStorageFull", ErrorCode::kOutOfSpace, false},
    {"InvalidRange", ErrorCode::kCorrupt, false},
    {"NotImplemented", ErrorCode::kUnsupported, false},
    {"MethodNotAllowed", ErrorCode::kUnsupported, false},
    {"AuthorizationHeaderMalformed", kWrong, false},
    {"PermanentRedirect", kWrong, false},
    {"InvalidBucketName", kWrong, false},
});

Kind KindOfStatus(int status) {
  switch (status) {
    case 301:
    case 307:
    case 400:
      return {"", kWrong, false};
    case 401:
    case 403:
      return {"", kDenied, false};
    case 404:
      return {"", ErrorCode::kNotFound, false};
    case 405:
    case 501:
      return {"", ErrorCode::kUnsupported, false};
    case 408:
    case 429:
      return {"", kAway, true};
    case 409:
    case 412:
      return {"", ErrorCode::kConflict, false};
    case 416:
      return {"", ErrorCode::kCorrupt, false};
    case 507:
      return {"", ErrorCode::kOutOfSpace, false};
    default:
      return {"", kAway, status >= 500};
  }
}

Kind KindOf(std::string_view code, int status) {
  const auto found = std::ranges::find(kKinds, code, &Kind::code);
  return found != kKinds.end() ? *found : KindOfStatus(status);
}

/// The code of a refusal without a body, such as that of a HEAD.
constexpr std::string_view kSilent403 = "HTTP 403";

std::string Allow(const std::string& action) {
  return "; allow " + action + " in the bucket's or the role's policy";
}

/// Advice where the error itself does not tell what to do.
std::string Advice(std::string_view code, const std::string& action, const pugi::xml_node& error,
                   const http::Response& response) {
  std::string region = error.child_value("Region");
  if (region.empty()) region = response.Find("x-amz-bucket-region").value_or("");
  if (response.status == 301 || code == "AuthorizationHeaderMalformed" ||
      code == "PermanentRedirect")
    return region.empty() ? "; the bucket is in another region" : "; set the region to " + region;
  if (code == "NoSuchBucket") return "; create the bucket, or correct its name";
  if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch")
    return "; the credentials are wrong";
  return code == "AccessDenied" || code == kSilent403 ? Allow(action) : "";
}

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text.substr(0, 500);
}

}  // namespace

Failure Classify(const http::Response& response, const std::string& what,
                 const std::string& action) {
  pugi::xml_document document;
  document.load_buffer(response.body.data(), response.body.size());
  const pugi::xml_node error = document.child("Error");
  std::string code = error.child_value("Code");
  const Kind kind = KindOf(code, response.status);
  if (code.empty()) code = fmt::format("HTTP {}", response.status);
  Failure failure{.code = code, .error = {.code = kind.means, .retryable = kind.retryable}};
  failure.error.message = OneLine(fmt::format("{}: {}", what, code));
  if (const std::string message = error.child_value("Message"); !message.empty())
    failure.error.message += OneLine(" (" + message + ")");
  failure.error.message += Advice(code, action, error, response);
  if (const auto wait = response.Find("retry-after")) {
    int seconds = 0;
    const auto [end, problem] = std::from_chars(wait->data(), wait->data() + wait->size(), seconds);
    if (problem == std::errc() && seconds >= 0)
      failure.error.retry_after = std::chrono::seconds(seconds);
  }
  return failure;
}

Error ClassifyDelete(const std::string& what, const std::string& code, const std::string& message) {
  const Kind kind = KindOf(code, 500);
  return {.code = kind.means,
          .message = OneLine(fmt::format("{}: {} ({})", what, code, message)) +
                     (code == "AccessDenied" ? Allow("s3:DeleteObject") : ""),
          .retryable = kind.retryable};
}

bool IsErrorDocument(const std::string& body) {
  pugi::xml_document document;
  document.load_buffer(body.data(), body.size());
  return static_cast<bool>(document.child("Error"));
}

bool IsDocument(const std::string& body, std::string_view element) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(body.data(), body.size());
  return parsed && document.document_element().name() == element;
}

}  // namespace spillway::storage::s3
