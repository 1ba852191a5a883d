#include "aws/providers.h"

#include <map>
#include <sstream>

#include <date/date.h>
#include <fmt/format.h>

namespace spillway::aws {
namespace {

using Section = std::map<std::string, std::string>;

std::string Trim(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

/// The settings of one section of an INI file as AWS's tools write it. Later files add to it.
void ReadSection(const std::string& text, const std::string& wanted, Section& section) {
  bool inside = false;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::string trimmed = Trim(line);
    if (trimmed.empty() || trimmed[0] == '#' || trimmed[0] == ';') continue;
    if (trimmed[0] == '[') {
      inside = Trim(trimmed.substr(1, trimmed.find(']') - 1)) == wanted;
    } else if (const size_t equals = trimmed.find('=');
               inside && equals != std::string::npos && line[0] != ' ' && line[0] != '\t') {
      section[Trim(trimmed.substr(0, equals))] = Trim(trimmed.substr(equals + 1));
    }
  }
}

/// An absent file holds nothing; an unreadable one is an error.
Result<std::string> ReadIfThere(const std::string& path) {
  Result<std::string> text = ReadTextFile(path);
  if (!text.has_value() && text.error().code == ErrorCode::kNotFound) return std::string();
  return text;
}

Result<Section> ReadProfile(const Environment& environment, const std::string& profile) {
  const std::string folder = environment("HOME").value_or("") + "/.aws/";
  const std::string config =
      TRY(ReadIfThere(environment("AWS_CONFIG_FILE").value_or(folder + "config")));
  const std::string credentials =
      TRY(ReadIfThere(environment("AWS_SHARED_CREDENTIALS_FILE").value_or(folder + "credentials")));
  Section section;
  ReadSection(config, profile == "default" ? profile : "profile " + profile, section);
  ReadSection(credentials, profile, section);
  return section;
}

}  // namespace

Result<Timestamp> ParseExpiration(const std::string& text) {
  std::istringstream stream(text);
  date::sys_time<std::chrono::microseconds> time;
  stream >> date::parse("%FT%TZ", time);
  if (stream.fail())
    return Fail(ErrorCode::kCorrupt, "credentials end at '" + text.substr(0, 40) + "', no time");
  return Timestamp(time.time_since_epoch());
}

Result<std::optional<Credentials>> EnvironmentCredentials::Fetch(std::stop_token) {
  const auto id = environment_("AWS_ACCESS_KEY_ID");
  const auto secret = environment_("AWS_SECRET_ACCESS_KEY");
  if (!id.has_value() && !secret.has_value()) return std::optional<Credentials>();
  if (!id.has_value() || !secret.has_value()) {
    return Fail(ErrorCode::kInvalidArgument,
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: one is set without the other");
  }
  return Credentials{.access_key_id = *id,
                     .secret_access_key = Redacted(*secret),
                     .session_token = Redacted(environment_("AWS_SESSION_TOKEN").value_or(""))};
}

Result<std::optional<Credentials>> ProfileCredentials::Fetch(std::stop_token) {
  const auto chosen = environment_("AWS_PROFILE");
  const std::string profile = chosen.value_or("default");
  Section section = TRY(ReadProfile(environment_, profile));
  if (section.contains("aws_access_key_id") && section.contains("aws_secret_access_key")) {
    return Credentials{.access_key_id = section["aws_access_key_id"],
                       .secret_access_key = Redacted(section["aws_secret_access_key"]),
                       .session_token = Redacted(section["aws_session_token"])};
  }
  for (const std::string key : {"role_arn", "credential_process", "sso_session", "sso_start_url"}) {
    if (section.contains(key)) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("profile '{}' has {}, which Spillway does not follow; export its "
                              "credentials to the environment (aws configure export-credentials)",
                              profile, key));
    }
  }
  if (chosen.has_value()) {
    return Fail(ErrorCode::kNotFound, "profile '" + profile + "' (AWS_PROFILE) has no credentials");
  }
  return std::optional<Credentials>();
}

std::unique_ptr<CredentialsProvider> DefaultCredentials(const Environment& environment,
                                                        http::HttpTransport& transport,
                                                        const std::string& region) {
  std::vector<std::unique_ptr<CredentialsProvider>> providers;
  providers.push_back(std::make_unique<EnvironmentCredentials>(environment));
  providers.push_back(std::make_unique<WebIdentityCredentials>(environment, transport, region));
  providers.push_back(std::make_unique<ProfileCredentials>(environment));
  providers.push_back(std::make_unique<ContainerCredentials>(environment, transport));
  providers.push_back(std::make_unique<InstanceCredentials>(environment, transport));
  return std::make_unique<CredentialsChain>(std::move(providers));
}

}  // namespace spillway::aws
