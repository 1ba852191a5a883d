#include "aws/sigv4.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/hmac.h>

#include "base/digest.h"
#include "http/percent_encoding.h"

namespace spillway::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

Sha256Digest Hmac(std::string_view key, std::string_view text) {
  Sha256Digest digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return digest;
}

Sha256Digest Hmac(const Sha256Digest& key, std::string_view text) {
  return Hmac(std::string_view(reinterpret_cast<const char*>(key.data()), key.size()), text);
}

/// Without white space at the ends, and with one space for every run of it.
std::string TrimAll(std::string_view value) {
  std::string trimmed;
  for (const char c : value) {
    const bool space = c == ' ' || c == '\t';
    if (!space) trimmed += c;
    if (space && !trimmed.empty() && trimmed.back() != ' ') trimmed += ' ';
  }
  if (!trimmed.empty() && trimmed.back() == ' ') trimmed.pop_back();
  return trimmed;
}

/// Names in lower case, sorted; values of one name joined by commas in their order.
std::map<std::string, std::string> CanonicalHeaders(const std::vector<http::Header>& headers) {
  std::map<std::string, std::string> canonical;
  for (const http::Header& header : headers) {
    std::string name = header.name;
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto [at, added] = canonical.emplace(std::move(name), TrimAll(header.value));
    if (!added) at->second += "," + TrimAll(header.value);
  }
  return canonical;
}

std::string SignedHeaders(const std::vector<http::Header>& headers) {
  std::string names;
  for (const auto& [name, value] : CanonicalHeaders(headers)) {
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

std::string ScopeOf(const SigningScope& scope, std::string_view date) {
  return fmt::format("{}/{}/{}/aws4_request", date.substr(0, 8), scope.region, scope.service);
}

std::string Signature(const std::string& canonical_request, const Credentials& credentials,
                      const SigningScope& scope, std::string_view date) {
  const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, date, ScopeOf(scope, date),
                                          ToHex(Sha256Of(canonical_request)));
  Sha256Digest key = Hmac("AWS4" + credentials.secret_access_key.Reveal(), date.substr(0, 8));
  for (const std::string_view part :
       {std::string_view(scope.region), std::string_view(scope.service),
        std::string_view("aws4_request")}) {
    key = Hmac(key, part);
  }
  return ToHex(Hmac(key, to_sign));
}

}  // namespace

std::string FormatAmzDate(Timestamp time) {
  return fmt::format("{:%Y%m%dT%H%M%S}Z", std::chrono::floor<std::chrono::seconds>(time));
}

std::string CanonicalQuery(const Query& query) {
  Query encoded;
  for (const auto& [name, value] : query)
    encoded.emplace_back(http::PercentEncode(name), http::PercentEncode(value));
  std::ranges::sort(encoded);
  std::string text;
  for (const auto& [name, value] : encoded) {
    if (!text.empty()) text += '&';
    text.append(name).append("=").append(value);
  }
  return text;
}

std::string CanonicalRequest(const SignableRequest& request, std::string_view payload_sha256) {
  std::string text = fmt::format("{}\n{}\n{}\n", request.method,
                                 http::PercentEncode(request.path, http::Slash::kKeep),
                                 CanonicalQuery(request.query));
  for (const auto& [name, value] : CanonicalHeaders(request.headers))
    text.append(name).append(":").append(value).append("\n");
  return text + "\n" + SignedHeaders(request.headers) + "\n" + std::string(payload_sha256);
}

std::vector<http::Header> SignatureHeaders(SignableRequest request, std::string_view payload_sha256,
                                           const Credentials& credentials,
                                           const SigningScope& scope, Timestamp now) {
  const std::string date = FormatAmzDate(now);
  std::vector<http::Header> added = {{"x-amz-date", date}};
  if (!credentials.session_token.empty())
    added.push_back({"x-amz-security-token", credentials.session_token.Reveal()});
  std::ranges::copy(added, std::back_inserter(request.headers));
  added.push_back(
      {"authorization",
       fmt::format(
           "{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
           credentials.access_key_id, ScopeOf(scope, date), SignedHeaders(request.headers),
           Signature(CanonicalRequest(request, payload_sha256), credentials, scope, date))});
  return added;
}

std::string PresignedQuery(SignableRequest request, const Credentials& credentials,
                           const SigningScope& scope, Timestamp now,
                           std::chrono::seconds lifetime) {
  const std::string date = FormatAmzDate(now);
  Query& query = request.query;
  query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  query.emplace_back("X-Amz-Credential", credentials.access_key_id + "/" + ScopeOf(scope, date));
  query.emplace_back("X-Amz-Date", date);
  query.emplace_back("X-Amz-Expires", std::to_string(lifetime.count()));
  query.emplace_back("X-Amz-SignedHeaders", SignedHeaders(request.headers));
  if (!credentials.session_token.empty())
    query.emplace_back("X-Amz-Security-Token", credentials.session_token.Reveal());
  return CanonicalQuery(query) + "&X-Amz-Signature=" +
         Signature(CanonicalRequest(request, kUnsignedPayload), credentials, scope, date);
}

}  // namespace spillway::aws
