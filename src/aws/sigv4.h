#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/credentials.h"
#include "base/clock.h"
#include "http/transport.h"

/// AWS Signature Version 4: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html. Pure:
/// time and credentials are passed in. Paths are encoded once and never normalised, as S3 has it;
/// other services are called at `/`, where that makes no difference.
namespace spillway::aws {

struct SigningScope {
  std::string region;
  std::string service;
};

/// Names and values of a query, not encoded.
using Query = std::vector<std::pair<std::string, std::string>>;

/// The signed parts of a request. All headers given here are signed and must be sent; `host` must
/// be one of them.
struct SignableRequest {
  std::string method;
  std::string path = "/";  ///< Not encoded.
  Query query = {};
  std::vector<http::Header> headers = {};
};

/// The payload's "digest" where the body is not signed. Only over TLS.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

/// The query as it is signed, and to be sent: encoded, sorted.
std::string CanonicalQuery(const Query& query);

/// `payload_sha256` in hexadecimal, or kUnsignedPayload.
std::string CanonicalRequest(const SignableRequest& request, std::string_view payload_sha256);

/// The headers to send in addition: x-amz-date, x-amz-security-token for temporary credentials, and
/// authorization.
std::vector<http::Header> SignatureHeaders(SignableRequest request, std::string_view payload_sha256,
                                           const Credentials& credentials,
                                           const SigningScope& scope, Timestamp now);

/// The query of a link that anybody may follow until `lifetime` (at most 7 days) is over. The
/// signature comes last.
std::string PresignedQuery(SignableRequest request, const Credentials& credentials,
                           const SigningScope& scope, Timestamp now, std::chrono::seconds lifetime);

/// "20130524T000000Z".
std::string FormatAmzDate(Timestamp time);

}  // namespace spillway::aws
