#include "aws/credentials.h"

namespace spillway::aws {

Result<std::optional<Credentials>> CredentialsChain::Fetch(std::stop_token stop) {
  for (const std::unique_ptr<CredentialsProvider>& provider : providers_) {
    Result<std::optional<Credentials>> found = provider->Fetch(stop);
    if (!found.has_value())
      return std::unexpected(std::move(found).error().Within(provider->name()));
    if (found->has_value()) return found;
  }
  return Fail(ErrorCode::kPermissionDenied, "no AWS credentials in " + name() +
                                                "; set AWS_ACCESS_KEY_ID and "
                                                "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE");
}

std::string CredentialsChain::name() const {
  std::string names;
  for (size_t i = 0; i < providers_.size(); ++i) {
    if (i > 0) names += i + 1 == providers_.size() ? " or " : ", ";
    names += providers_[i]->name();
  }
  return names;
}

Result<Credentials> CredentialsCache::Get(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  bool waited = false;
  while (true) {
    const Timestamp now = clock_.Now();
    const auto lives_at = [&](Timestamp time) {
      return credentials_.has_value() &&
             (!credentials_->expires_at.has_value() || *credentials_->expires_at > time);
    };
    const bool alive = lives_at(now);
    if (lives_at(now + kEarly) || (alive && (fetching_ || ask_again_at_ > now)))
      return *credentials_;
    if (!fetching_ && waited && failure_.has_value()) return std::unexpected(*failure_);
    if (!fetching_) return Fetch(lock, alive, stop);
    waited = true;
    if (!fetched_.wait(lock, stop, [this] { return !fetching_; }))
      return Fail(ErrorCode::kCancelled, "stopped while AWS credentials were fetched");
  }
}

Result<Credentials> CredentialsCache::Fetch(std::unique_lock<std::mutex>& lock, bool alive,
                                            const std::stop_token& stop) {
  fetching_ = true;
  lock.unlock();
  Result<std::optional<Credentials>> fetched = provider_->Fetch(stop);
  lock.lock();
  fetching_ = false;
  fetched_.notify_all();
  failure_.reset();
  // Some services hand out the same credentials until their very end.
  ask_again_at_ = clock_.Now() + kAskAgain;
  const bool found = fetched.has_value() && fetched->has_value();
  if (found &&
      (!credentials_.has_value() || credentials_->access_key_id != (**fetched).access_key_id)) {
    doubtful_at_ = clock_.Now() + kAskAgain;
  }
  if (found || !alive) credentials_.reset();
  if (found) credentials_ = **fetched;
  if (credentials_.has_value()) return *credentials_;
  const Error failure = fetched.has_value()
                            ? Error{.code = ErrorCode::kPermissionDenied,
                                    .message = "no AWS credentials in " + provider_->name()}
                            : std::move(fetched).error();
  if (failure.code != ErrorCode::kCancelled) failure_ = failure;
  return std::unexpected(failure);
}

bool CredentialsCache::Doubt(const std::string& access_key_id) {
  std::lock_guard lock(mutex_);
  const bool others = !credentials_.has_value() || credentials_->access_key_id != access_key_id;
  if (!others && clock_.Now() < doubtful_at_) return false;
  if (!others) credentials_.reset();
  return true;
}

void CredentialsCache::Refuse(const std::string& access_key_id) {
  std::lock_guard lock(mutex_);
  if (credentials_.has_value() && credentials_->access_key_id == access_key_id)
    credentials_.reset();
}

}  // namespace spillway::aws
