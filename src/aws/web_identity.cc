#include <fmt/format.h>
#include <pugixml.hpp>

#include "aws/partition.h"
#include "aws/providers.h"
#include "http/percent_encoding.h"

namespace spillway::aws {
namespace {

constexpr std::chrono::seconds kTimeout{20};

std::string Form(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string form;
  for (const auto& [name, value] : fields) {
    if (!form.empty()) form += '&';
    form += name + "=" + http::PercentEncode(value);
  }
  return form;
}

std::string Trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  return text;
}

Result<Credentials> ParseCredentials(const std::string& answer) {
  pugi::xml_document document;
  document.load_buffer(answer.data(), answer.size());
  const pugi::xml_node found = document.child("AssumeRoleWithWebIdentityResponse")
                                   .child("AssumeRoleWithWebIdentityResult")
                                   .child("Credentials");
  const auto expires_at = TRY(ParseExpiration(found.child_value("Expiration")));
  Credentials credentials{
      .access_key_id = found.child_value("AccessKeyId"),
      .secret_access_key = Redacted(found.child_value("SecretAccessKey")),
      .session_token = Redacted(found.child_value("SessionToken")),
      .expires_at = expires_at,
  };
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty())
    return Fail(ErrorCode::kCorrupt, "the answer of STS has no credentials");
  return credentials;
}

Error Refusal(const http::Response& response) {
  pugi::xml_document document;
  document.load_buffer(response.body.data(), response.body.size());
  const pugi::xml_node error = document.child("ErrorResponse").child("Error");
  const std::string code = error.child_value("Code");
  // The identity provider may only be slow.
  const bool transient = response.status >= 500 || response.status == 429 ||
                         code == "IDPCommunicationError" || code == "Throttling";
  return {.code = transient ? ErrorCode::kUnavailable : ErrorCode::kPermissionDenied,
          .message = fmt::format("STS refused the role: {} {} (HTTP {})", code,
                                 error.child_value("Message"), response.status),
          .retryable = transient};
}

}  // namespace

Result<std::optional<Credentials>> WebIdentityCredentials::Fetch(std::stop_token stop) {
  const auto file = environment_("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (!file.has_value()) return std::optional<Credentials>();
  const auto role = environment_("AWS_ROLE_ARN");
  if (!role.has_value()) {
    return Fail(ErrorCode::kInvalidArgument,
                "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
  }
  const std::string token = Trimmed(TRY(ReadTextFile(*file)));
  const std::string form =
      Form({{"Action", "AssumeRoleWithWebIdentity"},
            {"Version", "2011-06-15"},
            {"RoleArn", *role},
            {"RoleSessionName", environment_("AWS_ROLE_SESSION_NAME").value_or("spillway")},
            {"WebIdentityToken", token}});
  const std::string endpoint =
      environment_("AWS_ENDPOINT_URL_STS")
          .value_or(fmt::format("https://sts.{}.{}", region_, DomainOf(region_)));
  const http::Response response =
      TRY(transport_.Send({.method = "POST",
                           .url = endpoint + "/",
                           .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                           .body = {std::as_bytes(std::span(form))},
                           .timeout = kTimeout},
                          nullptr, std::move(stop)));
  if (!response.ok()) return std::unexpected(Refusal(response));
  return TRY(ParseCredentials(response.body));
}

}  // namespace spillway::aws
