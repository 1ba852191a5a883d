#include "storage/s3/join.h"

#include <algorithm>
#include <span>

#include "storage/s3/parts_in_flight.h"

namespace spillway::storage::s3 {
namespace {

/// Copies of one part; larger ones only keep the others waiting.
constexpr uint64_t kCopyBytes = uint64_t{1} << 30;

Result<std::vector<std::byte>> Read(Client& client, const JoinPart& part) {
  std::vector<std::byte> bytes(BytesOf(part));
  std::span<std::byte> rest = bytes;
  for (const Extent& extent : part) {
    TRY(client.Get(extent.range.key, extent.range.offset, rest.first(extent.range.bytes),
                   extent.etag));
    rest = rest.subspan(extent.range.bytes);
  }
  return bytes;
}

Result<UploadedPart> SendPart(Client& client, const Upload& upload, int number,
                              const JoinPart& part) {
  if (part.size() == 1) return client.UploadPartCopy(upload, number, part[0]);
  const std::vector<std::byte> bytes = TRY(Read(client, part));
  return client.UploadPart(upload, number, {bytes});
}

Result<> JoinParts(Client& client, const S3StoreOptions& options, const Upload& upload,
                   std::span<const JoinPart> parts, const Placement& placement) {
  PartsInFlight flights(options.parts_in_flight, UINT64_MAX);
  int number = 0;
  for (const JoinPart& part : parts) {
    TRY(flights.Start(0, [&client, &upload, &part, number = ++number] {
      return SendPart(client, upload, number, part);
    }));
  }
  return client.CompleteUpload(upload, TRY(flights.Finish()), false, placement.metadata);
}

Result<> Write(Client& client, const S3StoreOptions& options, const std::string& name,
               std::span<const JoinPart> parts, const Placement& placement) {
  if (parts.empty() || (parts.size() == 1 && BytesOf(parts[0]) <= kMinPartBytes)) {
    const std::vector<std::byte> bytes =
        parts.empty() ? std::vector<std::byte>() : TRY(Read(client, parts[0]));
    return client.Put(name, {bytes}, placement);
  }
  const Upload upload = TRY(client.CreateUpload(name, placement, false));
  const Result<> joined = JoinParts(client, options, upload, parts, placement);
  if (!joined.has_value()) static_cast<void>(client.StoppedBy({}).AbortUpload(upload));
  return joined;
}

}  // namespace

Result<> Join(Client& client, const S3StoreOptions& options, const std::string& name,
              const std::vector<Extent>& extents, const Placement& placement,
              const std::function<std::string()>& new_name) {
  const std::vector<JoinPart> parts = PlanJoin(extents, kMinPartBytes, kCopyBytes);
  if (parts.size() <= options.join_parts_max) return Write(client, options, name, parts, placement);

  std::vector<Extent> groups;
  std::vector<std::string> names;
  const auto join_groups = [&]() -> Result<> {
    for (std::span<const JoinPart> rest = parts; !rest.empty();) {
      const auto group = rest.first(std::min(rest.size(), options.join_parts_max));
      rest = rest.subspan(group.size());
      uint64_t bytes = 0;
      for (const JoinPart& part : group) bytes += BytesOf(part);
      names.push_back(new_name());
      TRY(Write(client, options, names.back(), group,
                {.metadata = {{"spillway-join", names.back()}}}));
      groups.push_back({{names.back(), 0, bytes}, "", bytes});
    }
    return Join(client, options, name, groups, placement, new_name);
  };
  const Result<> joined = join_groups();
  const Result<> removed = client.StoppedBy({}).DeleteAll(names);
  return joined.has_value() ? removed : joined;
}

}  // namespace spillway::storage::s3
