#include "storage/s3/s3_store.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/utf8.h"
#include "storage/key.h"
#include "storage/objects.h"
#include "storage/s3/in_place.h"
#include "storage/s3/join.h"
#include "storage/s3/s3_stage.h"
#include "storage/s3/s3_writer.h"

namespace spillway::storage {
namespace {

constexpr size_t kPage = 1000;  // S3's largest
constexpr size_t kIdDigits = 16;
constexpr size_t kPutsAtOnce = 8;

/// After every key that starts with kPrivatePrefix: U+10FFFF is the last character of UTF-8.
const std::string kAfterPrivate = std::string(kPrivatePrefix) + "\xF4\x8F\xBF\xBF";

/// Reads an object, or a stage's appends, as it was when it was opened.
class Reader final : public ObjectReader {
 public:
  Reader(s3::Client client, s3::Source source)
      : client_(std::move(client)), source_(std::move(source)) {}

  uint64_t size() const override { return source_.bytes(); }

  Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) override {
    if (offset >= size()) return 0;
    const size_t bytes = std::min<uint64_t>(into.size(), size() - offset);
    size_t done = 0;
    for (const s3::Extent& extent : TRY(source_.Cut(offset, bytes))) {
      TRY(client_.Get(extent.range.key, extent.range.offset, into.subspan(done, extent.range.bytes),
                      extent.etag));
      done += extent.range.bytes;
    }
    return done;
  }

 private:
  s3::Client client_;
  const s3::Source source_;
};

/// Adds the objects on a page of the bucket; appends are shown as the stage that they belong to.
void Fold(const std::vector<s3::Object>& page, size_t prefix_bytes, bool with_private,
          std::string_view start_after, std::vector<ObjectInfo>& infos) {
  for (const s3::Object& object : page) {
    std::string_view key = std::string_view(object.key).substr(prefix_bytes);
    if (key.starts_with(kPrivatePrefix)) {
      if (!with_private) continue;
      key = s3::StageOfAppend(key).value_or(key);
    }
    if (key <= start_after) continue;  // a stage, of which only appends come after start_after
    if (!infos.empty() && infos.back().key == key) {
      infos.back().bytes += object.bytes;
    } else {
      infos.push_back({std::string(key), object.bytes, object.modified});
    }
  }
}

std::string DigestOf(std::span<const ObjectRange> ranges) {
  std::string text;
  for (const ObjectRange& range : ranges)
    text += fmt::format("{}\n{} {}\n", range.key, range.offset, range.bytes);
  return ToHex(Sha256Of(text));
}

uint64_t TotalBytes(std::span<const ObjectRange> ranges) {
  uint64_t bytes = 0;
  for (const ObjectRange& range : ranges) bytes += range.bytes;
  return bytes;
}

/// The upload that has some of the bytes already.
std::optional<s3::InPlace> InPlaceOf(std::span<const ObjectRange> ranges) {
  for (const ObjectRange& range : ranges) {
    if (auto in_place = s3::InPlace::Parse(range.key)) return in_place;
  }
  return std::nullopt;
}

/// The objects and stages that ranges are of, each looked up once.
class Sources {
 public:
  explicit Sources(s3::Client& client) : client_(client) {}

  Result<std::vector<s3::Extent>> Cut(const std::string& name, const ObjectRange& range) {
    auto found = sources_.find(name);
    if (found == sources_.end())
      found = sources_.emplace(name, TRY(s3::Source::Find(client_, name))).first;
    return found->second.Cut(range.offset, range.bytes);
  }

 private:
  s3::Client& client_;
  std::map<std::string, s3::Source> sources_;
};

}  // namespace

S3Store::S3Store(s3::Caller& caller, S3StoreOptions options, Random random)
    : ObjectStore({.transfer_bytes = options.part_bytes,
                   .appends_at_once = options.parts_in_flight,
                   .puts_at_once = kPutsAtOnce,
                   .join_bytes_min = s3::kMinPartBytes}),
      client_(caller),
      options_(std::move(options)),
      random_(random) {}

Result<std::unique_ptr<S3Store>> S3Store::Open(s3::Caller& caller, S3StoreOptions options,
                                               Random random) {
  while (options.prefix.ends_with('/')) options.prefix.pop_back();
  if (!options.prefix.empty()) {
    TRY(ValidateKey(options.prefix));
    options.prefix += '/';
  }
  return std::unique_ptr<S3Store>(new S3Store(caller, std::move(options), random));
}

Result<std::unique_ptr<S3Store>> S3Store::OpenExisting(s3::Caller& caller, S3StoreOptions options,
                                                       Random random) {
  std::unique_ptr<S3Store> store = TRY(Open(caller, std::move(options), random));
  TRY(store->client_.List(store->options_.prefix, "", 1));
  return store;
}

Result<std::string> S3Store::NameOf(std::string_view key) const {
  TRY(ValidateKey(key));
  if (!IsUtf8(key))
    return Fail(ErrorCode::kInvalidArgument, "a key that is not UTF-8 cannot be kept in S3");
  std::string name = options_.prefix + std::string(key);
  if (name.size() > kMaxKeyBytes) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is longer than {} bytes", name, kMaxKeyBytes));
  }
  return name;
}

std::string S3Store::NewId() {
  std::lock_guard lock(mutex_);
  return random_.Hex(kIdDigits);
}

std::string S3Store::NewTemporaryName() {
  return options_.prefix + std::string(kTemporaryPrefix) + NewId();
}

Result<std::unique_ptr<ObjectWriter>> S3Store::Create(std::string_view key, Overwrite overwrite) {
  return std::make_unique<s3::Writer>(client_, options_, std::string(key), TRY(NameOf(key)),
                                      overwrite, NewId());
}

Result<std::unique_ptr<ObjectReader>> S3Store::Open(std::string_view key, std::stop_token stop) {
  const std::string name = TRY(NameOf(key));
  s3::Client client = client_.StoppedBy(std::move(stop));
  s3::Source source = TRY(s3::Source::Find(client, name));
  return std::make_unique<Reader>(std::move(client), std::move(source));
}

Result<std::optional<ObjectInfo>> S3Store::Head(std::string_view key) {
  const std::string name = TRY(NameOf(key));
  const std::optional<s3::Object> object = TRY(client_.Head(name));
  if (!object.has_value()) return std::optional<ObjectInfo>();
  uint64_t bytes = object->bytes;
  if (object->metadata.contains(s3::kStageMetadata))
    bytes = TRY(s3::Source::Find(client_, name)).bytes();
  return ObjectInfo{std::string(key), bytes, object->modified};
}

Result<std::vector<ObjectInfo>> S3Store::List(std::string_view prefix, std::string_view start_after,
                                              size_t limit) {
  if (!prefix.empty()) {
    const std::string_view key =
        prefix.ends_with('/') ? prefix.substr(0, prefix.size() - 1) : prefix;
    if (key != kPrivatePrefix.substr(0, kPrivatePrefix.size() - 1)) TRY(ValidateKey(key));
  }
  const bool all = prefix.starts_with(kPrivatePrefix);
  std::vector<ObjectInfo> infos;
  std::string after(start_after);
  // A stage may have more appends on the next page: it is whole when something follows it.
  const size_t enough = all && limit > 0 ? limit + 1 : limit;
  for (bool more = true; more && infos.size() < enough;) {
    if (!all && after.starts_with(kPrivatePrefix)) after = kAfterPrivate;
    const size_t asked = all ? kPage : std::min(kPage, limit - infos.size());
    const s3::ListPage page =
        TRY(client_.List(options_.prefix + std::string(prefix),
                         after.empty() ? "" : options_.prefix + after, asked));
    if (!page.objects.empty()) after = page.objects.back().key.substr(options_.prefix.size());
    Fold(page.objects, options_.prefix.size(), all, start_after, infos);
    more = page.truncated;
  }
  if (infos.size() > limit) infos.resize(limit);
  return infos;
}

Result<uint64_t> S3Store::Remove(std::string_view key) {
  const std::string name = TRY(NameOf(key));
  uint64_t bytes = 0;
  if (key.starts_with(kPrivatePrefix)) {
    std::vector<std::string> names;
    for (const s3::Object& append : TRY(s3::ListAppends(client_, name))) {
      bytes += append.bytes;
      names.push_back(append.key);
    }
    TRY(client_.DeleteAll(names));
  }
  const std::optional<s3::Object> object = TRY(client_.Head(name));
  if (!object.has_value()) return bytes;
  if (object->metadata.contains(s3::kClaimMetadata)) {
    if (const auto claim = TRY(s3::ReadClaim(client_, name))) TRY(s3::Abort(client_, *claim));
  }
  TRY(client_.Delete(name));
  return bytes + object->bytes;
}

Result<std::string> S3Store::Link(std::string_view key, std::chrono::seconds lifetime,
                                  const std::string& file_name) {
  return client_.PresignGet(TRY(NameOf(key)), lifetime, file_name);
}

Result<> S3Store::ProveCreateOnce() {
  if (creates_once_) return {};
  const std::string key = std::string(kTemporaryPrefix) + NewId();
  TRY(PutWhole(*this, key, "", Overwrite::kNever));
  const Result<ObjectInfo> second = PutWhole(*this, key, "", Overwrite::kNever);
  TRY(Remove(key));
  if (second.has_value()) {
    return Fail(ErrorCode::kUnsupported,
                "the server ignores If-None-Match, so one writer would undo what another has "
                "written; use a server with conditional writes");
  }
  if (second.error().code != ErrorCode::kAlreadyExists) return std::unexpected(second.error());
  creates_once_ = true;
  return {};
}

Result<size_t> S3Store::SweepAbandoned(std::chrono::seconds age, Sweep sweep) {
  size_t found = 0;
  std::vector<s3::Upload> uploads;
  if (sweep != Sweep::kRemoveOwn || !options_.prefix.empty())
    uploads = TRY(client_.ListUploads(options_.prefix));
  std::erase_if(uploads,
                [&](const s3::Upload& upload) { return upload.begun_at + age > client_.Now(); });
  const std::vector<std::string> claimed =
      uploads.empty() ? std::vector<std::string>() : TRY(ClaimedUploads());
  for (const s3::Upload& upload : uploads) {
    if (std::ranges::find(claimed, upload.id) != claimed.end()) continue;
    if (sweep != Sweep::kCount) TRY(client_.AbortUpload(upload));
    ++found;
  }
  TRY(ForEachObject(*this, kTemporaryPrefix, [&](const ObjectInfo& object) -> Result<> {
    if (object.modified + age > client_.Now()) return {};
    if (sweep != Sweep::kCount) TRY(Remove(object.key));
    ++found;
    return {};
  }));
  return found;
}

Result<> S3Store::RemoveUnfinished(std::string_view prefix) {
  const std::vector<s3::Upload> uploads =
      TRY(client_.ListUploads(options_.prefix + std::string(prefix)));
  for (const s3::Upload& upload : uploads) TRY(client_.AbortUpload(upload));
  return {};
}

/// The uploads of unfinished files. They are kept for as long as their jobs have anything staged.
Result<std::vector<std::string>> S3Store::ClaimedUploads() {
  std::vector<std::string> ids;
  TRY(ForEachObject(*this, kPrivatePrefix, [&](const ObjectInfo& object) -> Result<> {
    if (!s3::PartPlacer::IsClaim(object.key)) return {};
    if (const auto claim = TRY(s3::ReadClaim(client_, TRY(NameOf(object.key)))))
      ids.push_back(claim->upload.id);
    return {};
  }));
  return ids;
}

Result<std::unique_ptr<s3::PartPlacer>> S3Store::PlacerFor(const StageTarget& target,
                                                           std::string_view stage) {
  s3::PartPlacer::Target placed;
  placed.name = TRY(NameOf(target.key));
  placed.claim = s3::PartPlacer::ClaimFor(target.key, stage);
  placed.claim_name = TRY(NameOf(placed.claim));
  placed.chunks = target.chunks;
  placed.tags = options_.tags;
  return std::make_unique<s3::PartPlacer>(client_, std::move(placed), NewId(),
                                          [this] { return ProveCreateOnce(); });
}

Result<std::unique_ptr<Stage>> S3Store::CreateStage(std::string_view key,
                                                    const std::optional<StageTarget>& target) {
  const std::string name = TRY(NameOf(key));
  if (!key.starts_with(kPrivatePrefix)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the key of a stage starts with {}, not '{}'", kPrivatePrefix, key));
  }
  std::unique_ptr<s3::PartPlacer> placer;
  if (target.has_value()) placer = TRY(PlacerFor(*target, key));
  const std::string id = NewId();
  TRY(NameOf(s3::AppendName(std::string(key), id, 0)));
  TRY(client_.Put(name, {}, {.if_absent = true, .metadata = {{s3::kStageMetadata, id}}}));
  return std::make_unique<s3::S3Stage>(client_, std::string(key), name, id, std::move(placer));
}

Result<> S3Store::Sync(std::string_view key) {
  const std::optional<s3::InPlace> in_place = s3::InPlace::Parse(key);
  const std::string name = TRY(NameOf(in_place.has_value() ? in_place->claim : key));
  if (TRY(client_.Head(name)).has_value()) return {};
  return Fail(ErrorCode::kNotFound, fmt::format("there is no stage {}", key));
}

Result<ObjectInfo> S3Store::Compose(std::string_view key, std::span<const ObjectRange> ranges,
                                    std::stop_token stop) {
  const std::string name = TRY(NameOf(key));
  s3::Client client = client_.StoppedBy(std::move(stop));
  const std::optional<s3::InPlace> in_place = InPlaceOf(ranges);
  const std::string mark = in_place.has_value() ? in_place->mark : DigestOf(ranges);
  // An earlier Compose may have succeeded without an answer, and its stages may be removed by now.
  if (auto there = TRY(FindComposed(client, key, mark, TotalBytes(ranges))))
    return *std::move(there);
  if (in_place.has_value()) return ComposeInPlace(client, key, ranges, *in_place);
  Sources sources(client);
  std::vector<s3::Extent> extents;
  for (const ObjectRange& range : ranges) {
    std::ranges::move(TRY(sources.Cut(TRY(NameOf(range.key)), range)), std::back_inserter(extents));
  }
  TRY(s3::Join(client, options_, name, extents,
               {.metadata = {{s3::kComposeMetadata, mark}}, .tags = options_.tags},
               [this] { return NewTemporaryName(); }));
  return ObjectInfo{std::string(key), TotalBytes(ranges), client_.Now()};
}

Result<std::optional<ObjectInfo>> S3Store::FindComposed(s3::Client& client, std::string_view key,
                                                        const std::string& mark, uint64_t bytes) {
  const std::optional<s3::Object> there = TRY(client.Head(TRY(NameOf(key))));
  if (!there.has_value()) return std::nullopt;
  const auto found = there->metadata.find(s3::kComposeMetadata);
  if (found == there->metadata.end() || found->second != mark) return std::nullopt;
  if (there->bytes != bytes)
    return Fail(ErrorCode::kCorrupt, fmt::format("{} was put together with {} bytes in place of {}",
                                                 key, there->bytes, bytes));
  return ObjectInfo{std::string(key), there->bytes, there->modified};
}

Result<ObjectInfo> S3Store::ComposeInPlace(s3::Client& client, std::string_view key,
                                           std::span<const ObjectRange> ranges,
                                           const s3::InPlace& in_place) {
  const std::optional<s3::Claim> claim = TRY(s3::ReadClaim(client, TRY(NameOf(in_place.claim))));
  if (!claim.has_value())
    return Fail(ErrorCode::kNotFound, fmt::format("there is no upload of {}", key));
  if (claim->mark != in_place.mark || claim->upload.key != TRY(NameOf(key)))
    return Fail(ErrorCode::kCorrupt,
                fmt::format("the upload {} is not of {}", in_place.claim, key));
  Sources sources(client);
  std::vector<s3::Stretch> stretches(1);
  for (const ObjectRange& range : ranges) {
    const std::optional<s3::InPlace> placed = s3::InPlace::Parse(range.key);
    if (!placed.has_value()) {
      std::ranges::move(TRY(sources.Cut(TRY(NameOf(range.key)), range)),
                        std::back_inserter(stretches.back().extents));
      continue;
    }
    if (*placed != in_place)
      return Fail(ErrorCode::kCorrupt, fmt::format("parts of two uploads are to make {}", key));
    stretches.back().number = static_cast<int>(range.offset / s3::kPartStride);
    stretches.back().bytes = range.bytes;
    stretches.emplace_back();
  }
  const Result<> completed =
      s3::Complete(client, options_, *claim, stretches, [this] { return NewTemporaryName(); });
  if (!completed.has_value() && completed.error().code != ErrorCode::kNotFound)
    return std::unexpected(completed.error());
  // An upload that is gone may have been completed by a call whose answer was lost.
  const auto composed = TRY(FindComposed(client, key, in_place.mark, TotalBytes(ranges)));
  if (composed.has_value()) return *composed;
  return Fail(ErrorCode::kNotFound, fmt::format("the upload of {} was aborted", key));
}

}  // namespace spillway::storage
