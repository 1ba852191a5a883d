#include "aws/refusal.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/utf8.h"

namespace spillway::aws {
namespace {

/// How much of a service's words a message shows.
constexpr size_t kShownBytes = 500;

CodeMeaning MeaningOfStatus(int status) {
  switch (status) {
    case 301:
    case 307:
    case 400:
      return {"", ErrorCode::kInvalidArgument};
    case 401:
    case 403:
      return {"", ErrorCode::kPermissionDenied};
    case 404:
      return {"", ErrorCode::kNotFound};
    case 405:
    case 501:
      return {"", ErrorCode::kUnsupported};
    case 408:
    case 503:
      return {"", ErrorCode::kUnavailable, Verdict::kTransient};
    case 429:
      return {"", ErrorCode::kUnavailable, Verdict::kThrottled};
    case 409:
    case 412:
      return {"", ErrorCode::kConflict};
    case 416:
      return {"", ErrorCode::kCorrupt};
    case 507:
      return {"", ErrorCode::kOutOfSpace};
    default:
      // Something between may have given up on a service that still works (502, 504).
      if (status >= 500) return {"", ErrorCode::kUnavailable, Verdict::kUnknown};
      // A refusal inside a success: its status was sent before the service failed.
      if (status < 300) return {"", ErrorCode::kUnavailable, Verdict::kTransient};
      return {"", ErrorCode::kUnavailable};
  }
}

CodeMeaning MeaningOf(std::string_view code, std::span<const CodeMeaning> codes, int status) {
  const auto found = std::ranges::find(codes, code, &CodeMeaning::code);
  if (found != codes.end()) return *found;
  CodeMeaning meaning = MeaningOfStatus(status);
  if (code.empty() && status == 403) meaning.verdict = Verdict::kNotAllowed;
  return meaning;
}

bool IsRetryable(Verdict verdict) {
  return verdict == Verdict::kTransient || verdict == Verdict::kThrottled ||
         verdict == Verdict::kUnknown;
}

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  text.resize(Utf8Prefix(text, kShownBytes).size());
  return text;
}

}  // namespace

Failure Judge(const Refusal& refusal, std::span<const CodeMeaning> codes, int status,
              const std::string& what, const std::string& permission) {
  const CodeMeaning meaning = MeaningOf(refusal.code, codes, status);
  Failure failure{.code = refusal.code.empty() ? fmt::format("HTTP {}", status) : refusal.code,
                  .verdict = meaning.verdict,
                  .error = {.code = meaning.means, .retryable = IsRetryable(meaning.verdict)}};
  std::string& message = failure.error.message;
  message = OneLine(fmt::format("{}: {}", what, failure.code));
  if (!refusal.message.empty()) message += OneLine(fmt::format(" ({})", refusal.message));
  if (!refusal.advice.empty()) message += "; " + refusal.advice;
  if (meaning.verdict == Verdict::kNotAllowed) message += "; allow " + permission;
  return failure;
}

}  // namespace spillway::aws
