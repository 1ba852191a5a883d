#include "base/time_zone.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/nearest_name.h"
#include "base/zone_file.h"

namespace spillway {
namespace {

constexpr std::string_view kDatabase = "/usr/share/zoneinfo/";

/// Whether a text is a name in the database and not one of its other files (zone.tab, posixrules):
/// each of the parts between slashes begins with a capital.
bool IsName(std::string_view text) {
  char before = '/';
  for (const char c : text) {
    const bool capital = 'A' <= c && c <= 'Z';
    const bool other = ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '_' || c == '+' ||
                       c == '-' || c == '/';
    if (!capital && (before == '/' || !other)) return false;
    before = c;
  }
  return before != '/' && text != "Factory";
}

Error Unknown(std::string_view name) {
  const std::vector<std::string> names = TimeZoneNames();
  if (names.empty()) {
    return {.code = ErrorCode::kUnavailable,
            .message = "the system has no time zones in " + std::string(kDatabase) +
                       "; install the package tzdata"};
  }
  const auto nearest = NearestName(name, names);
  return {.code = ErrorCode::kInvalidArgument,
          .message = "unknown time zone \"" + std::string(name) + "\"; " +
                     (nearest ? "did you mean " + *nearest + "?"
                              : "use an IANA name such as Europe/Vienna or UTC")};
}

}  // namespace

TimeZone::TimeZone(std::string name, std::shared_ptr<const ZoneFile> file)
    : name_(std::move(name)), file_(std::move(file)) {}

OffsetSpan TimeZone::SpanAt(date::sys_seconds at) const {
  return file_ == nullptr ? OffsetSpan{} : file_->SpanAt(at);
}

TimeZone::LocalTime TimeZone::LocalTimeAt(Timestamp at) const {
  const OffsetSpan span = SpanAt(date::floor<std::chrono::seconds>(at));
  return LocalTime((at + span.offset).time_since_epoch());
}

Timestamp TimeZone::FirstInstantOf(LocalTime local) const {
  const auto whole = date::floor<std::chrono::seconds>(local);
  const date::sys_seconds as_utc(whole.time_since_epoch());
  // No clock is further from UTC than 26 hours (RFC 9636, 3.2).
  OffsetSpan span = SpanAt(as_utc - date::days(2));
  while (as_utc - span.offset >= span.end) span = SpanAt(span.end);
  const date::sys_seconds instant = as_utc - span.offset;
  return instant < span.begin ? Timestamp(span.begin) : Timestamp(instant) + (local - whole);
}

Result<TimeZone> FindTimeZone(std::string_view name) {
  if (name == "UTC") return TimeZone();
  // Only a well-formed name may become part of a path.
  if (!IsName(name)) return std::unexpected(Unknown(name));
  const std::string path = std::string(kDatabase) + std::string(name);
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::unexpected(Unknown(name));
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  Result<ZoneFile> file = ParseZoneFile(bytes);
  if (!file.has_value()) {
    return Fail(ErrorCode::kUnavailable, "cannot read the time zone " + std::string(name) + " (" +
                                             path + ": " + file.error().message +
                                             "); install the package tzdata again");
  }
  return TimeZone(std::string(name), std::make_shared<const ZoneFile>(*std::move(file)));
}

std::vector<std::string> TimeZoneNames() {
  std::vector<std::string> names;
  std::error_code error;
  namespace fs = std::filesystem;
  for (fs::recursive_directory_iterator at(kDatabase, error), end; !error && at != end;
       at.increment(error)) {
    std::string name = at->path().string().substr(kDatabase.size());
    if (!IsName(name)) {
      at.disable_recursion_pending();
    } else if (std::error_code ignored; at->is_regular_file(ignored)) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace spillway
