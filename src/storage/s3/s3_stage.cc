#include "storage/s3/s3_stage.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "storage/s3/in_place.h"

namespace spillway::storage::s3 {
namespace {

constexpr char kSeparator = '!';  // sorts before what a stage's key may go on with
constexpr size_t kIdDigits = 16;
constexpr size_t kOffsetDigits = 20;
constexpr size_t kSuffix = 1 + kIdDigits + 1 + kOffsetDigits;
constexpr size_t kPage = 1000;

uint64_t OffsetOf(std::string_view append) {
  const std::string_view digits = append.substr(append.size() - kOffsetDigits);
  uint64_t offset = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), offset);
  return offset;
}

}  // namespace

std::string AppendName(const std::string& stage, const std::string& id, uint64_t offset) {
  return fmt::format("{}{}{}-{:020}", stage, kSeparator, id, offset);
}

std::optional<std::string_view> StageOfAppend(std::string_view name) {
  if (name.size() <= kSuffix) return std::nullopt;
  const std::string_view suffix = name.substr(name.size() - kSuffix);
  const std::string_view digits = suffix.substr(suffix.size() - kOffsetDigits);
  if (suffix[0] != kSeparator || suffix[1 + kIdDigits] != '-' ||
      digits.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  return name.substr(0, name.size() - kSuffix);
}

Result<std::vector<Object>> ListAppends(Client& client, const std::string& stage,
                                        const std::string& id) {
  const std::string prefix = stage + kSeparator + id;
  std::vector<Object> appends;
  ListPage page{.objects = {}, .truncated = true};
  while (page.truncated) {
    const std::string after = page.objects.empty() ? "" : page.objects.back().key;
    page = TRY(client.List(prefix, after, kPage));
    for (const Object& object : page.objects) {
      if (StageOfAppend(object.key) == stage) appends.push_back(object);
    }
  }
  return appends;
}

S3Stage::S3Stage(Client& client, std::string key, std::string name, std::string id,
                 std::unique_ptr<PartPlacer> placer)
    : client_(client),
      key_(std::move(key)),
      name_(std::move(name)),
      id_(std::move(id)),
      placer_(std::move(placer)) {}

S3Stage::~S3Stage() = default;

ObjectRange S3Stage::Reserve(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  return {key_, std::exchange(end_, end_ + bytes), bytes};
}

Result<ObjectRange> S3Stage::Put(ObjectRange range, const std::vector<Bytes>& pieces,
                                 std::stop_token stop) {
  // A failed append leaves a gap in the offsets, which no range covers.
  if (range.bytes > 0)
    TRY(client_.StoppedBy(std::move(stop)).Put(AppendName(name_, id_, range.offset), pieces, {}));
  return range;
}

Result<ObjectRange> S3Stage::Append(std::span<const Bytes> pieces, std::stop_token stop) {
  uint64_t bytes = 0;
  for (const Bytes piece : pieces) bytes += piece.size();
  return Put(Reserve(bytes), {pieces.begin(), pieces.end()}, std::move(stop));
}

std::future<Result<ObjectRange>> S3Stage::Begin(Bytes bytes, std::optional<int64_t> chunk,
                                                std::stop_token stop) {
  if (placer_ != nullptr && chunk.has_value() && bytes.size() >= kMinPartBytes) {
    const Result<std::optional<int>> number = placer_->Take(*chunk);
    if (!number.has_value()) {
      std::promise<Result<ObjectRange>> failed;
      failed.set_value(std::unexpected(number.error()));
      return failed.get_future();
    }
    if (number->has_value()) {
      return std::async(std::launch::async,
                        [this, number = **number, bytes, stop = std::move(stop)] {
                          return placer_->Put(number, bytes, stop);
                        });
    }
  }
  return std::async(std::launch::async,
                    [this, range = Reserve(bytes.size()), bytes, stop = std::move(stop)] {
                      return Put(range, {bytes}, stop);
                    });
}

Result<Source> Source::Find(Client& client, const std::string& name) {
  const std::optional<Object> object = TRY(client.Head(name));
  if (!object.has_value()) return Fail(ErrorCode::kNotFound, "there is no object " + name);
  Source source;
  source.name_ = name;
  source.modified_ = object->modified;
  const auto id = object->metadata.find(kStageMetadata);
  if (id == object->metadata.end()) {
    source.bytes_ = object->bytes;
    source.extents_.emplace(0, Extent{{name, 0, object->bytes}, object->etag, object->bytes});
    return source;
  }
  for (const Object& append : TRY(ListAppends(client, name, id->second))) {
    const uint64_t offset = OffsetOf(append.key);
    source.extents_.emplace(offset,
                            Extent{{append.key, 0, append.bytes}, append.etag, append.bytes});
    source.bytes_ = std::max(source.bytes_, offset + append.bytes);
  }
  return source;
}

Result<std::vector<Extent>> Source::Cut(uint64_t offset, uint64_t bytes) const {
  std::vector<Extent> cut;
  while (bytes > 0) {
    auto at = extents_.upper_bound(offset);
    const uint64_t inside = at == extents_.begin() ? 0 : offset - (--at)->first;
    if (at == extents_.end() || offset < at->first || inside >= at->second.range.bytes) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("{} holds {} bytes, but bytes from {} on were expected", name_,
                              bytes_, offset));
    }
    const Extent& extent = at->second;
    const uint64_t taken = std::min(bytes, extent.range.bytes - inside);
    cut.push_back({{extent.range.key, inside, taken}, extent.etag, extent.object_bytes});
    offset += taken;
    bytes -= taken;
  }
  return cut;
}

}  // namespace spillway::storage::s3
