#include "storage/s3/join.h"

#include <algorithm>
#include <optional>
#include <span>

#include "base/digest.h"
#include "storage/s3/parts_in_flight.h"

namespace spillway::storage::s3 {
namespace {

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

Result<std::vector<UploadedPart>> SendParts(Client& client, const S3StoreOptions& options,
                                            const Upload& upload, std::span<const JoinPart> parts) {
  PartsInFlight flights(options.parts_in_flight, UINT64_MAX);
  int number = 0;
  for (const JoinPart& part : parts) {
    TRY(flights.Start(0, [&client, &upload, &part, number = ++number] {
      return SendPart(client, upload, number, part);
    }));
  }
  return flights.Finish();
}

/// `completing` is set once the server may be completing the upload, or have completed it.
Result<> JoinParts(Client& client, const S3StoreOptions& options, const Upload& upload,
                   std::span<const JoinPart> parts, const Placement& placement, bool& completing) {
  const std::vector<UploadedPart> sent = TRY(SendParts(client, options, upload, parts));
  aws::CallRecord record;
  Result<> completed = client.CompleteUpload(upload, sent, false, placement.metadata, &record);
  completing = record.unknown;
  return completed;
}

bool IsWholeObject(const JoinPart& part) {
  return part.size() == 1 && part[0].range.bytes == part[0].object_bytes;
}

Result<> Write(Client& client, const S3StoreOptions& options, const std::string& name,
               std::span<const JoinPart> parts, const Placement& placement) {
  if (parts.size() == 1 && IsWholeObject(parts[0]))
    return client.Copy(parts[0][0], name, placement);
  if (parts.empty() || (parts.size() == 1 && BytesOf(parts[0]) <= kMinPartBytes)) {
    const std::vector<std::byte> bytes =
        parts.empty() ? std::vector<std::byte>() : TRY(Read(client, parts[0]));
    return client.Put(name, {bytes}, placement);
  }
  const Upload upload = TRY(client.CreateUpload(name, placement, false));
  bool completing = false;
  const Result<> joined = JoinParts(client, options, upload, parts, placement, completing);
  // An abort could undo what a slow server is about to finish. A sweep removes it otherwise.
  if (!joined.has_value() && !completing)
    static_cast<void>(client.StoppedBy({}).AbortUpload(upload));
  return joined;
}

}  // namespace

Result<UploadedPart> SendPart(Client& client, const Upload& upload, int number,
                              const JoinPart& part) {
  if (part.size() == 1) return client.UploadPartCopy(upload, number, part[0]);
  const std::vector<std::byte> bytes = TRY(Read(client, part));
  return client.UploadPart(upload, number, {bytes});
}

Result<> Join(Client& client, const S3StoreOptions& options, const std::string& name,
              const std::vector<Extent>& extents, const Placement& placement,
              const std::function<std::string()>& new_name) {
  const std::vector<JoinPart> parts = PlanJoin(extents, kMinPartBytes, options.join.copy_bytes_max);
  if (parts.size() <= options.join.parts_max) return Write(client, options, name, parts, placement);

  std::vector<Extent> groups;
  std::vector<std::string> names;
  const auto join_groups = [&]() -> Result<> {
    for (std::span<const JoinPart> rest = parts; !rest.empty();) {
      const auto group = rest.first(std::min(rest.size(), options.join.parts_max));
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

Result<> Copy(Client& client, const S3StoreOptions& options, const std::string& source,
              const std::string& name, Placement placement) {
  const std::optional<Object> object = TRY(client.Head(source));
  if (!object.has_value()) return Fail(ErrorCode::kNotFound, "there is no object " + source);
  // Tells the copy from an older one with the same metadata, when a completion was not heard.
  placement.metadata["spillway-copy"] = ToHex(Sha256Of(source + "\n" + object->etag));
  const Extent whole{{source, 0, object->bytes}, object->etag, object->bytes};
  return Write(client, options, name, PlanJoin({whole}, kMinPartBytes, options.join.copy_bytes_max),
               placement);
}

}  // namespace spillway::storage::s3
