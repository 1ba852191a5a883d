#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/redacted.h"

namespace spillway::aws {

/// What requests are signed with.
struct Credentials {
  std::string access_key_id;
  Redacted secret_access_key;
  Redacted session_token = {};  ///< Empty for long-lived keys.
  std::optional<Timestamp> expires_at = {};
};

/// One place where credentials may be found. Thread-safe.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;

  /// Nothing when this place is not configured; an error when it is but has no credentials.
  virtual Result<std::optional<Credentials>> Fetch(std::stop_token stop) = 0;

  /// For messages: "the environment".
  virtual std::string name() const = 0;
};

/// Credentials that are known already.
class StaticCredentials final : public CredentialsProvider {
 public:
  explicit StaticCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  Result<std::optional<Credentials>> Fetch(std::stop_token) override { return credentials_; }
  std::string name() const override { return "the configuration"; }

 private:
  const Credentials credentials_;
};

/// Asks one provider after the other until one has credentials. kPermissionDenied, naming all of
/// them, where none has.
class CredentialsChain final : public CredentialsProvider {
 public:
  explicit CredentialsChain(std::vector<std::unique_ptr<CredentialsProvider>> providers)
      : providers_(std::move(providers)) {}
  Result<std::optional<Credentials>> Fetch(std::stop_token stop) override;
  std::string name() const override;

 private:
  const std::vector<std::unique_ptr<CredentialsProvider>> providers_;
};

/// Keeps credentials until shortly before they expire. One thread fetches new ones; the others use
/// the old ones meanwhile and wait only when those have expired. Thread-safe.
class CredentialsCache {
 public:
  /// How long before they expire credentials are fetched again. While that fails, the old ones are
  /// used to their end, and the provider is asked again after kAskAgain.
  static constexpr std::chrono::minutes kEarly{5};
  static constexpr std::chrono::seconds kAskAgain{30};

  CredentialsCache(std::unique_ptr<CredentialsProvider> provider, Clock& clock)
      : provider_(std::move(provider)), clock_(clock) {}

  /// kCancelled as soon as `stop` is requested.
  Result<Credentials> Get(std::stop_token stop);

  /// Forgets the credentials that the service refused as expired, unless others are here by now.
  void Refuse(const std::string& access_key_id);

  /// As Refuse, for a refusal that does not say why: they may have expired, or may not do what was
  /// asked. False, and nothing is forgotten, for credentials that are newer than kAskAgain. They are
  /// new when they come in place of others, or of none, as after a doubt; the same ones, fetched
  /// again before their end, are as old as before.
  bool Doubt(const std::string& access_key_id);

 private:
  Result<Credentials> Fetch(std::unique_lock<std::mutex>& lock, bool alive,
                            const std::stop_token& stop);

  const std::unique_ptr<CredentialsProvider> provider_;
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any fetched_;
  // Guarded by mutex_:
  bool fetching_ = false;
  std::optional<Credentials> credentials_;
  std::optional<Error> failure_;  // of the last fetch, unless it was stopped
  Timestamp ask_again_at_;
  Timestamp doubtful_at_;
};

}  // namespace spillway::aws
