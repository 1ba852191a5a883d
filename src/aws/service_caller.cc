#include "aws/service_caller.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <utility>

#include <date/date.h>
#include <fmt/format.h>

#include "base/digest.h"
#include "http/percent_encoding.h"

namespace spillway::aws {
namespace {

/// How much clock skew AWS tolerates.
constexpr std::chrono::minutes kToleratedSkew{15};

/// How often one call may correct the clock or the credentials.
constexpr int kRecoveriesMax = 3;

/// Without a `/` at its end and without the port that its scheme has anyway.
std::string OriginOf(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  for (const auto& [scheme, port] : {std::pair("https://", ":443"), std::pair("http://", ":80")}) {
    if (endpoint.starts_with(scheme) && endpoint.ends_with(port))
      endpoint.resize(endpoint.size() - std::string_view(port).size());
  }
  return endpoint;
}

std::string DigestOf(const std::vector<http::Bytes>& pieces) {
  Sha256 hash;
  for (const http::Bytes piece : pieces) hash.Update(piece);
  return ToHex(hash.Finish());
}

std::optional<std::chrono::seconds> RetryAfter(const http::Response& response) {
  const std::string_view wait = response.Find("retry-after").value_or("");
  int seconds = 0;
  const auto [end, problem] = std::from_chars(wait.data(), wait.data() + wait.size(), seconds);
  if (problem != std::errc() || seconds < 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

std::string GaveUp(const CallRecord& record) {
  std::string text = fmt::format("; gave up after {} attempts", record.attempts);
  if (record.throttled > 0) text += fmt::format(", {} of them throttled", record.throttled);
  return text;
}

}  // namespace

ServiceCaller::ServiceCaller(Service service, Patience patience, http::HttpTransport& transport,
                             CredentialsCache& credentials, Clock& clock, uint64_t seed,
                             std::stop_token stop)
    : service_(std::move(service)),
      patience_(patience),
      origin_(OriginOf(service_.endpoint)),
      host_(origin_.substr(origin_.find("://") + 3)),
      transport_(transport),
      credentials_(credentials),
      clock_(clock),
      stop_(std::move(stop)),
      random_(seed) {}

http::Request ServiceCaller::Sign(const Call& call, const Credentials& credentials,
                                  const std::string& payload_digest, Timestamp now) {
  SignableRequest signable{
      .method = call.method, .path = call.path, .query = call.query, .headers = call.headers};
  signable.headers.push_back({"x-amz-content-sha256", payload_digest});  // S3 needs it
  http::Request request{.method = call.method,
                        .headers = signable.headers,
                        .body = call.body,
                        .idle_timeout = call.idle_timeout};
  signable.headers.push_back({"host", host_});  // libcurl writes this one
  for (http::Header& header : SignatureHeaders(signable, payload_digest, credentials,
                                               {service_.region, service_.name}, now))
    request.headers.push_back(std::move(header));
  request.url = origin_ + http::PercentEncode(call.path, http::Slash::kKeep);
  if (!call.query.empty()) request.url += "?" + CanonicalQuery(call.query);
  return request;
}

/// Sets the clock to the server's time, and returns that.
std::optional<Timestamp> ServiceCaller::AdoptTimeOf(const http::Response& response) {
  std::istringstream text{std::string(response.Find("date").value_or(""))};
  date::sys_seconds time;
  text >> date::parse("%a, %d %b %Y %T GMT", time);
  if (text.fail()) return std::nullopt;
  const Timestamp now(time.time_since_epoch());
  skew_ = (now - clock_.Now()).count();
  return now;
}

Failure ServiceCaller::JudgeAnswer(const Call& call, const Refusal& refusal,
                                   const http::Response& response, const Credentials& credentials,
                                   Timestamp signed_at) {
  Failure failure = Judge(refusal, service_.codes, response.status, call.what, call.permission);
  failure.error.retry_after = RetryAfter(response);
  // The answer to a HEAD has no body that could tell of a skewed clock or expired credentials.
  const bool silent = call.method == "HEAD" && (response.status == 400 || response.status == 403);
  if (silent || failure.verdict == Verdict::kClockSkew) {
    const Timestamp now = AdoptTimeOf(response).value_or(signed_at);
    // Another request may have set the clock since this one was signed.
    const bool skewed = std::chrono::abs(now - signed_at) > kToleratedSkew;
    if (silent && skewed) {
      failure.verdict = Verdict::kClockSkew;
    } else if (silent && !credentials.session_token.empty() &&
               credentials_.Doubt(credentials.access_key_id)) {
      failure.verdict = Verdict::kExpiredCredentials;
    }
  }
  return failure;
}

std::expected<http::Response, Failure> ServiceCaller::SendOnce(const Call& call,
                                                               const Credentials& credentials,
                                                               const std::string& payload_digest,
                                                               std::stop_token stop) {
  if (call.restart) call.restart();
  const Timestamp now = Now();
  Result<http::Response> response =
      transport_.Send(Sign(call, credentials, payload_digest, now), call.sink, std::move(stop));
  if (!response.has_value()) {
    return std::unexpected(Failure{.code = "no answer",
                                   .verdict = Verdict::kUnknown,
                                   .error = std::move(response).error().Within(call.what)});
  }
  const std::optional<Refusal> refusal = service_.read_refusal(call, *response);
  if (!refusal.has_value()) return *std::move(response);
  return std::unexpected(JudgeAnswer(call, *refusal, *response, credentials, now));
}

/// Whether the cause of the failure was removed, so that another attempt makes sense at once.
bool ServiceCaller::Recover(Verdict verdict, const Credentials& credentials) {
  if (verdict == Verdict::kClockSkew) return true;  // JudgeAnswer has adopted the time
  if (verdict != Verdict::kExpiredCredentials) return false;
  credentials_.Refuse(credentials.access_key_id);
  return true;
}

std::chrono::microseconds ServiceCaller::PauseBefore(int attempt, const Error& error) {
  const auto full =
      std::min(patience_.backoff_max, patience_.backoff * (1 << std::min(attempt, 20)));
  std::lock_guard lock(mutex_);
  const auto jittered = std::chrono::microseconds(static_cast<int64_t>(
      random_.Fraction() * static_cast<double>(std::chrono::microseconds(full).count())));
  return std::max<std::chrono::microseconds>(
      jittered, error.retry_after.value_or(std::chrono::milliseconds(0)));
}

Result<http::Response> ServiceCaller::Send(const Call& call, std::stop_token stop,
                                           CallRecord* record) {
  std::stop_source either;
  const auto request_stop = [&either] { either.request_stop(); };
  const std::stop_callback by_owner(stop_, request_stop);
  const std::stop_callback by_caller(std::move(stop), request_stop);
  CallRecord own;
  CallRecord& seen = record != nullptr ? *record : own;
  const std::string digest = call.has_checksum && origin_.starts_with("https://")
                                 ? std::string(kUnsignedPayload)
                                 : DigestOf(call.body);
  const Timestamp deadline = clock_.Now() + patience_.retry_for;
  std::optional<Verdict> last;
  int recoveries = 0;
  while (true) {
    const Result<Credentials> credentials = credentials_.Get(either.get_token());
    std::expected<http::Response, Failure> answer =
        credentials.has_value()
            ? SendOnce(call, *credentials, digest, either.get_token())
            : std::unexpected(Failure{.code = "no credentials", .error = credentials.error()});
    ++seen.attempts;
    if (answer.has_value()) {
      seen.failure_code.clear();
      return *std::move(answer);
    }
    auto& [code, verdict, error] = answer.error();
    seen.failure_code = code;
    seen.unknown |= verdict == Verdict::kUnknown;
    if (verdict == Verdict::kThrottled) ++seen.throttled;
    const bool again = std::exchange(last, verdict) == verdict;
    if (credentials.has_value() && !again && recoveries < kRecoveriesMax &&
        Recover(verdict, *credentials)) {
      ++recoveries;
      continue;
    }
    if (!error.retryable) return std::unexpected(std::move(error));
    const auto pause = PauseBefore(seen.attempts - 1, error);
    if (clock_.Now() + pause > deadline) {
      error.message += GaveUp(seen);
      return std::unexpected(std::move(error));
    }
    clock_.SleepFor(pause, either.get_token());
    if (either.stop_requested())
      return Fail(ErrorCode::kCancelled, call.what + ": stopped between two attempts");
  }
}

Result<std::string> ServiceCaller::Presign(const std::string& method, const std::string& path,
                                           const Query& query, std::chrono::seconds lifetime) {
  const Credentials credentials = TRY(credentials_.Get(stop_));
  const SignableRequest request{
      .method = method, .path = path, .query = query, .headers = {{"host", host_}}};
  return origin_ + http::PercentEncode(path, http::Slash::kKeep) + "?" +
         PresignedQuery(request, credentials, {service_.region, service_.name}, Now(), lifetime);
}

}  // namespace spillway::aws
