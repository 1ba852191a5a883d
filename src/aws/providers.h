#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "aws/credentials.h"
#include "aws/environment.h"
#include "http/transport.h"

/// The places where AWS's own tools look for credentials, and the variables that they read:
/// docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html.
namespace spillway::aws {

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
class EnvironmentCredentials final : public CredentialsProvider {
 public:
  explicit EnvironmentCredentials(Environment environment) : environment_(std::move(environment)) {}
  Result<std::optional<Credentials>> Fetch(std::stop_token stop) override;
  std::string name() const override { return "the environment"; }

 private:
  const Environment environment_;
};

/// A role taken on with a token that the platform keeps in a file (Kubernetes service accounts,
/// CI): AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME. Calls
/// sts:AssumeRoleWithWebIdentity at the region's endpoint, or AWS_ENDPOINT_URL_STS.
class WebIdentityCredentials final : public CredentialsProvider {
 public:
  WebIdentityCredentials(Environment environment, http::HttpTransport& transport,
                         std::string region)
      : environment_(std::move(environment)), transport_(transport), region_(std::move(region)) {}
  Result<std::optional<Credentials>> Fetch(std::stop_token stop) override;
  std::string name() const override { return "a web identity"; }

 private:
  const Environment environment_;
  http::HttpTransport& transport_;
  const std::string region_;
};

/// The named profile (AWS_PROFILE, or `default`) of AWS_SHARED_CREDENTIALS_FILE and
/// AWS_CONFIG_FILE, by default ~/.aws/credentials and ~/.aws/config, read again each time. Profiles
/// that take on a role or start a program are kUnsupported.
class ProfileCredentials final : public CredentialsProvider {
 public:
  explicit ProfileCredentials(Environment environment) : environment_(std::move(environment)) {}
  Result<std::optional<Credentials>> Fetch(std::stop_token stop) override;
  std::string name() const override { return "the shared credentials file"; }

 private:
  const Environment environment_;
};

/// ECS tasks and EKS pods: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with
/// AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE. A full URI must be HTTPS, or lead to loopback
/// or the two addresses the platforms use.
class ContainerCredentials final : public CredentialsProvider {
 public:
  ContainerCredentials(Environment environment, http::HttpTransport& transport)
      : environment_(std::move(environment)), transport_(transport) {}
  Result<std::optional<Credentials>> Fetch(std::stop_token stop) override;
  std::string name() const override { return "the container's credentials service"; }

 private:
  const Environment environment_;
  http::HttpTransport& transport_;
};

/// The instance's role, by metadata service version 2. AWS_EC2_METADATA_DISABLED turns it off,
/// AWS_EC2_METADATA_SERVICE_ENDPOINT moves it. When the service does not answer, this machine is no
/// instance, unless it answered before.
class InstanceCredentials final : public CredentialsProvider {
 public:
  InstanceCredentials(Environment environment, http::HttpTransport& transport)
      : environment_(std::move(environment)), transport_(transport) {}
  Result<std::optional<Credentials>> Fetch(std::stop_token stop) override;
  std::string name() const override { return "the instance's metadata service"; }

 private:
  const Environment environment_;
  http::HttpTransport& transport_;
  std::atomic<bool> was_there_ = false;
};

/// All of the above, in this order.
std::unique_ptr<CredentialsProvider> DefaultCredentials(const Environment& environment,
                                                        http::HttpTransport& transport,
                                                        const std::string& region);

/// "2026-01-31T23:59:59Z", as the services write the end of credentials.
Result<Timestamp> ParseExpiration(const std::string& text);

}  // namespace spillway::aws
