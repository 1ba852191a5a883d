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
  std::lock_guard lock(mutex_);
  const Timestamp now = clock_.Now();
  const bool alive = credentials_.has_value() &&
                     (!credentials_->expires_at.has_value() || *credentials_->expires_at > now);
  const bool fresh = alive && (!credentials_->expires_at.has_value() ||
                               *credentials_->expires_at - kEarly > now || ask_again_at_ > now);
  if (fresh) return *credentials_;
  Result<std::optional<Credentials>> fetched = provider_->Fetch(std::move(stop));
  if (fetched.has_value() && fetched->has_value()) {
    credentials_ = **std::move(fetched);
    // Some services hand out the same credentials until their very end.
    ask_again_at_ = now + kAskAgain;
    return *credentials_;
  }
  if (alive) {
    ask_again_at_ = now + kAskAgain;
    return *credentials_;
  }
  if (!fetched.has_value()) return std::unexpected(std::move(fetched).error());
  return Fail(ErrorCode::kPermissionDenied, "no AWS credentials in " + provider_->name());
}

void CredentialsCache::Refuse(const std::string& access_key_id) {
  std::lock_guard lock(mutex_);
  if (credentials_.has_value() && credentials_->access_key_id == access_key_id)
    credentials_.reset();
}

}  // namespace spillway::aws
