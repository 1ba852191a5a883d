#include "storage/s3/in_place.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "base/digest.h"
#include "storage/s3/join.h"
#include "storage/s3/parts_in_flight.h"

namespace spillway::storage::s3 {
namespace {

constexpr std::string_view kClaimName = "upload-";
constexpr size_t kDigits = 16;
constexpr int kAborts = 5;
constexpr std::chrono::milliseconds kBetweenAborts{100};

bool IsHex(std::string_view text) {
  return text.size() == kDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// One part to be sent.
struct Numbered {
  int number;
  JoinPart part;
};

/// The parts of an upload, in their order: those that are there and those to be sent.
class Layout {
 public:
  Layout(Client& client, const S3StoreOptions& options,
         const std::function<std::string()>& new_name)
      : client_(client), options_(options), new_name_(new_name) {}

  Result<> Add(const Stretch& stretch, const std::map<int, StoredPart>& there) {
    const int end = stretch.number.value_or(kMaxParts + 1);
    if (end < next_) return Fail(ErrorCode::kCorrupt, "parts of the upload are out of their order");
    TRY(AddExtents(stretch.extents, end - next_, stretch.number.has_value()));
    if (!stretch.number.has_value()) return {};
    const auto found = there.find(end);
    if (found == there.end() || found->second.bytes != stretch.bytes) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("part {} of the upload is not there as it was sent", end));
    }
    placed_.push_back({.number = end, .etag = found->second.etag});
    next_ = end + 1;
    return {};
  }

  const std::vector<Numbered>& to_send() const { return to_send_; }
  const std::vector<UploadedPart>& placed() const { return placed_; }
  const std::vector<std::string>& temporary() const { return temporary_; }

 private:
  Result<> AddExtents(const std::vector<Extent>& extents, int numbers, bool before_part) {
    const LastPart last = before_part ? LastPart::kFull : LastPart::kMayBeShort;
    std::vector<JoinPart> parts =
        PlanJoin(extents, kMinPartBytes, options_.join.copy_bytes_max, last);
    if (static_cast<int64_t>(parts.size()) > numbers) {
      const Extent group = TRY(Group(extents));
      parts = PlanJoin({group}, kMinPartBytes, kMaxPartBytes, last);
    }
    if (static_cast<int64_t>(parts.size()) > numbers)
      return Fail(ErrorCode::kOutOfSpace, "the file needs more parts than S3 allows");
    if (before_part && !parts.empty() && BytesOf(parts.back()) < kMinPartBytes)
      return Fail(ErrorCode::kCorrupt, "too few bytes stand before a part of the upload");
    for (JoinPart& part : parts) to_send_.push_back({next_++, std::move(part)});
    return {};
  }

  /// The extents as one object.
  Result<Extent> Group(const std::vector<Extent>& extents) {
    uint64_t bytes = 0;
    for (const Extent& extent : extents) bytes += extent.range.bytes;
    temporary_.push_back(new_name_());
    TRY(Join(client_, options_, temporary_.back(), extents,
             {.metadata = {{"spillway-join", temporary_.back()}}}, new_name_));
    return Extent{{temporary_.back(), 0, bytes}, "", bytes};
  }

  Client& client_;
  const S3StoreOptions& options_;
  const std::function<std::string()>& new_name_;
  int next_ = 1;
  std::vector<Numbered> to_send_;
  std::vector<UploadedPart> placed_;
  std::vector<std::string> temporary_;
};

Result<> SendAndComplete(Client& client, const S3StoreOptions& options, const Claim& claim,
                         const Layout& layout) {
  PartsInFlight flights(options.parts_in_flight, UINT64_MAX);
  for (const Numbered& each : layout.to_send()) {
    TRY(flights.Start(0, [&] { return SendPart(client, claim.upload, each.number, each.part); }));
  }
  std::vector<UploadedPart> parts = TRY(flights.Finish());
  std::ranges::copy(layout.placed(), std::back_inserter(parts));
  std::ranges::sort(parts, {}, &UploadedPart::number);
  return client.CompleteUpload(claim.upload, parts, false, {{kComposeMetadata, claim.mark}});
}

}  // namespace

std::optional<InPlace> InPlace::Parse(std::string_view key) {
  const size_t mark = key.rfind('!');
  const size_t name = key.rfind('/') + 1;
  if (mark == std::string_view::npos || mark < name || !IsHex(key.substr(mark + 1)) ||
      !PartPlacer::IsClaim(key.substr(0, mark))) {
    return std::nullopt;
  }
  return InPlace{std::string(key.substr(0, mark)), std::string(key.substr(mark + 1))};
}

Result<std::optional<Claim>> ReadClaim(Client& client, const std::string& name) {
  const std::optional<Object> object = TRY(client.Head(name));
  if (!object.has_value()) return std::optional<Claim>();
  const auto mark = object->metadata.find(kClaimMetadata);
  if (mark == object->metadata.end()) return std::optional<Claim>();
  std::string text(object->bytes, '\0');
  TRY(client.Get(name, 0, std::as_writable_bytes(std::span(text)), object->etag));
  const size_t line = text.find('\n');
  if (line == std::string::npos)
    return Fail(ErrorCode::kCorrupt, name + " is not a readable claim of an upload");
  return Claim{.upload = {.key = text.substr(line + 1), .id = text.substr(0, line)},
               .mark = mark->second};
}

std::string PartPlacer::ClaimFor(std::string_view target, std::string_view stage) {
  return fmt::format("{}{}{}", stage.substr(0, stage.rfind('/') + 1), kClaimName,
                     ToHex(Sha256Of(target)).substr(0, kDigits));
}

bool PartPlacer::IsClaim(std::string_view key) {
  const std::string_view name = key.substr(key.rfind('/') + 1);
  return name.starts_with(kClaimName) && IsHex(name.substr(kClaimName.size()));
}

/// Cannot be stopped: nobody would remove a claim that was still on its way.
Result<PartPlacer::Owner> PartPlacer::Begin() {
  TRY(prove_());
  if (TRY(client_.Head(target_.claim_name)).has_value()) return Owner::kOther;
  upload_ = TRY(client_.CreateUpload(
      target_.name, {.metadata = {{kComposeMetadata, mark_}}, .tags = target_.tags}, false));
  const Result<> claimed = PutClaim();
  if (claimed.has_value()) return Owner::kOurs;
  static_cast<void>(client_.AbortUpload(upload_));
  if (claimed.error().retryable) return std::unexpected(claimed.error());
  return Owner::kOther;
}

Result<> PartPlacer::PutClaim() {
  // Without the right to list parts, we would find that out only after sending all of them.
  TRY(client_.ListParts(upload_));
  const std::string text = upload_.id + "\n" + target_.name;
  return client_.Put(target_.claim_name, {std::as_bytes(std::span(text))},
                     {.if_absent = true, .metadata = {{kClaimMetadata, mark_}}});
}

Result<std::optional<int>> PartPlacer::Take(int64_t chunk) {
  // The first number is kept for what is copied before the chunk's own parts.
  const int64_t numbers = kMaxParts / std::max<int64_t>(target_.chunks, 1);
  std::lock_guard lock(mutex_);
  if (chunk >= target_.chunks || taken_[chunk] + 1 >= numbers) return std::optional<int>();
  if (owner_ == Owner::kUnknown) {
    Result<Owner> owner = Begin();
    if (!owner.has_value() && owner.error().code == ErrorCode::kUnsupported) owner = Owner::kOther;
    owner_ = TRY(std::move(owner));
  }
  if (owner_ == Owner::kOther) return std::optional<int>();
  return static_cast<int>(chunk * numbers + 1 + ++taken_[chunk]);
}

Result<ObjectRange> PartPlacer::Put(int number, Bytes bytes, std::stop_token stop) {
  TRY(client_.StoppedBy(std::move(stop)).UploadPart(upload_, number, {bytes}));
  return ObjectRange{InPlace{target_.claim, mark_}.key(),
                     static_cast<uint64_t>(number) * kPartStride, bytes.size()};
}

Result<> Abort(Client& client, const Claim& claim) {
  for (int attempt = 0; attempt < kAborts; ++attempt) {
    TRY(client.AbortUpload(claim.upload));
    const auto parts = client.ListParts(claim.upload);
    if (!parts.has_value() && parts.error().code == ErrorCode::kNotFound) return {};
    std::this_thread::sleep_for(kBetweenAborts);
  }
  return {};
}

Result<> Complete(Client& client, const S3StoreOptions& options, const Claim& claim,
                  std::span<const Stretch> stretches,
                  const std::function<std::string()>& new_name) {
  std::map<int, StoredPart> there;
  for (StoredPart& part : TRY(client.ListParts(claim.upload))) {
    const int number = part.number;
    there.emplace(number, std::move(part));
  }
  Layout layout(client, options, new_name);
  const auto complete = [&]() -> Result<> {
    for (const Stretch& stretch : stretches) TRY(layout.Add(stretch, there));
    return SendAndComplete(client, options, claim, layout);
  };
  const Result<> completed = complete();
  const Result<> removed = client.StoppedBy({}).DeleteAll(layout.temporary());
  return completed.has_value() ? removed : completed;
}

}  // namespace spillway::storage::s3
