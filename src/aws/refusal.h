#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace spillway::aws {

/// What is done about a refusal.
enum class Verdict {
  kPermanent,           ///< Nothing: the same call would be refused again.
  kNotAllowed,          ///< Nothing, but the error says which permission is missing.
  kTransient,           ///< Another attempt after a pause. This one was not carried out.
  kThrottled,           ///< As kTransient. The service asks for fewer calls.
  kUnknown,             ///< As kTransient, but this attempt may have been carried out.
  kClockSkew,           ///< Another attempt at once, signed with the server's time.
  kExpiredCredentials,  ///< Another attempt at once, with other credentials.
};

/// What one of a service's error codes means.
struct CodeMeaning {
  std::string_view code;
  ErrorCode means;
  Verdict verdict = Verdict::kPermanent;
};

/// A refusal in the service's own words.
struct Refusal {
  std::string code = {};  ///< Empty where the answer has none.
  std::string message = {};
  std::string advice = {};  ///< What to do: "create the bucket".
};

/// Why an attempt did not succeed.
struct Failure {
  std::string code;  ///< The service's, or "HTTP 503" where it gave none.
  Verdict verdict = Verdict::kPermanent;
  Error error;
};

/// Judges a refusal by its code, and where `codes` does not have it by the status of the answer.
/// `what` begins the message; `permission` is what has to be allowed for the call.
Failure Judge(const Refusal& refusal, std::span<const CodeMeaning> codes, int status,
              const std::string& what, const std::string& permission);

}  // namespace spillway::aws
