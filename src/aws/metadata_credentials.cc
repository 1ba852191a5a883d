#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "aws/providers.h"

namespace spillway::aws {
namespace {

constexpr std::string_view kEcsHost = "http://169.254.170.2";
constexpr std::string_view kEksHosts[] = {"http://169.254.170.2",  "http://169.254.170.23",
                                          "http://[fd00:ec2::23]", "http://127.0.0.1",
                                          "http://localhost",      "http://[::1]"};
constexpr std::string_view kMetadataHost = "http://169.254.169.254";
constexpr std::string_view kRolePath = "/latest/meta-data/iam/security-credentials/";
constexpr std::chrono::seconds kTimeout{5};
constexpr std::chrono::seconds kProbeTimeout{1};

std::string Member(const nlohmann::json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Credentials> ParseCredentials(const std::string& answer) {
  const nlohmann::json document = nlohmann::json::parse(answer, nullptr, false);
  if (!document.is_object()) return Fail(ErrorCode::kCorrupt, "the answer is no JSON object");
  Credentials credentials{.access_key_id = Member(document, "AccessKeyId"),
                          .secret_access_key = Redacted(Member(document, "SecretAccessKey")),
                          .session_token = Redacted(Member(document, "Token"))};
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty())
    return Fail(ErrorCode::kPermissionDenied, "the answer has no credentials");
  if (const std::string end = Member(document, "Expiration"); !end.empty())
    credentials.expires_at = TRY(ParseExpiration(end));
  return credentials;
}

Error Refusal(const http::Response& response) {
  const bool transient = response.status >= 500 || response.status == 429;
  return {.code = transient ? ErrorCode::kUnavailable : ErrorCode::kPermissionDenied,
          .message = fmt::format("answered HTTP {}", response.status),
          .retryable = transient};
}

/// Whether a token may be sent there in the clear.
bool IsLocal(const std::string& uri) {
  for (const std::string_view host : kEksHosts) {
    if (uri.starts_with(host) &&
        (uri.size() == host.size() || uri[host.size()] == '/' || uri[host.size()] == ':'))
      return uri.substr(host.size()).find('@') == std::string::npos;
  }
  return false;
}

std::string Trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

}  // namespace

Result<std::optional<Credentials>> ContainerCredentials::Fetch(std::stop_token stop) {
  const auto relative = environment_("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const auto full = environment_("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (!relative.has_value() && !full.has_value()) return std::optional<Credentials>();
  const std::string url = relative.has_value() ? std::string(kEcsHost) + *relative : *full;
  if (!url.starts_with("https://") && !IsLocal(url)) {
    return Fail(ErrorCode::kInvalidArgument,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither HTTPS nor on this host");
  }
  std::vector<http::Header> headers;
  if (const auto file = environment_("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
    const std::string content = TRY(ReadTextFile(*file));
    headers.push_back({"Authorization", Trimmed(content)});
  } else if (const auto token = environment_("AWS_CONTAINER_AUTHORIZATION_TOKEN")) {
    headers.push_back({"Authorization", *token});
  }
  const http::Response response = TRY(transport_.Send({.url = url,
                                                       .headers = std::move(headers),
                                                       .timeout = kTimeout,
                                                       .direct = url.starts_with("http://")},
                                                      nullptr, std::move(stop)));
  if (!response.ok()) return std::unexpected(Refusal(response));
  return TRY(ParseCredentials(response.body));
}

Result<std::optional<Credentials>> InstanceCredentials::Fetch(std::stop_token stop) {
  if (environment_("AWS_EC2_METADATA_DISABLED").value_or("") == "true")
    return std::optional<Credentials>();
  const std::string host =
      environment_("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or(std::string(kMetadataHost));
  const Result<http::Response> token =
      transport_.Send({.method = "PUT",
                       .url = host + "/latest/api/token",
                       .headers = {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}},
                       .timeout = kProbeTimeout,
                       .direct = true},
                      nullptr, stop);
  if (!token.has_value()) {
    const bool is_away = token.error().code != ErrorCode::kCancelled && !was_there_;
    if (is_away) return std::optional<Credentials>();
    return std::unexpected(token.error());
  }
  const Error refusal = Refusal(*token);
  if (!token->ok() && refusal.retryable) return std::unexpected(refusal);
  if (!token->ok()) return std::optional<Credentials>();
  const std::vector<http::Header> headers = {{"x-aws-ec2-metadata-token", token->body}};
  const http::Response role = TRY(transport_.Send({.url = host + std::string(kRolePath),
                                                   .headers = headers,
                                                   .timeout = kTimeout,
                                                   .direct = true},
                                                  nullptr, stop));
  if (role.status == 404) return std::optional<Credentials>();  // an instance without a role
  if (!role.ok()) return std::unexpected(Refusal(role));
  const std::string name = role.body.substr(0, role.body.find('\n'));
  const http::Response response =
      TRY(transport_.Send({.url = host + std::string(kRolePath) + Trimmed(name),
                           .headers = headers,
                           .timeout = kTimeout,
                           .direct = true},
                          nullptr, std::move(stop)));
  if (!response.ok()) return std::unexpected(Refusal(response));
  const Credentials credentials = TRY(ParseCredentials(response.body));
  was_there_ = true;
  return credentials;
}

}  // namespace spillway::aws
