#include "recipe/open_data/settings.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "config/scalar.h"
#include "storage/place.h"
#include "storage/s3_url.h"

namespace spillway::recipe::open_data {
namespace {

using config::Complaint;
using config::Complaints;
using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Section<Login> DeclareLogin(const std::string& prefix) {
  Section<Login> section;
  section.Field("user", &Login::user).Help("The role.").Variable(prefix + "_USER");
  section.Field("password", &Login::password)
      .Help("Its password; without one, PGPASSFILE has it or none is needed.")
      .Secret()
      .Variable(prefix + "_PASSWORD");
  return section;
}

Complaint CheckSchema(const std::string& schema) {
  if (schema.size() <= 63) return std::nullopt;  // NAMEDATALEN
  return "is longer than PostgreSQL's names, which have 63 bytes; choose a shorter one";
}

Section<Database> DeclareDatabase() {
  Section<Database> section;
  section.Field("host", &Database::host)
      .Help("Host name, address or directory of the socket; empty: there is no open data.")
      .OneLine()
      .Variable("DATABASE_HOST");
  section.Field("port", &Database::port)
      .Help("Its port.")
      .Between(1, 65'535)
      .Variable("DATABASE_PORT");
  section.Field("name", &Database::name)
      .Help("The database with the readings.")
      .OneLine()
      .Variable("DATABASE_DB");
  section.Field("ssl_mode", &Database::ssl_mode)
      .Help("Whether and how the connection is encrypted, as libpq's sslmode.")
      .OneOf({{"disable", "disable"},
              {"prefer", "prefer"},
              {"require", "require"},
              {"verify-ca", "verify-ca"},
              {"verify-full", "verify-full"}});
  section.Field("schema", &Database::schema)
      .Help(
          "Where `migrate` makes the export log and looks for the views; unless set, where its log "
          "is, else spillway_open_data beside another exporter's log, else the search_path's "
          "first.")
      .Check(CheckSchema);
  section.Field("read", &Database::read, DeclareLogin("DATABASE_READ"))
      .Help("Who reads the readings and the log.");
  section.Field("write", &Database::write, DeclareLogin("DATABASE_WRITE"))
      .Help("Who claims and settles days in the log, by its functions.");
  return section;
}

/// One format, or several between commas.
Complaint CheckFormats(const std::string& formats) {
  std::vector<std::string_view> seen;
  for (size_t at = 0; at <= formats.size();) {
    const size_t end = std::min(formats.find(',', at), formats.size());
    std::string_view name = std::string_view(formats).substr(at, end - at);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (name != "csv" && name != "csv.gz" && name != "parquet") {
      return fmt::format("has {}; use csv, csv.gz or parquet, or several of them with commas",
                         config::Quoted(std::string(name)));
    }
    if (std::ranges::find(seen, name) != seen.end()) {
      return fmt::format("has {} twice; name each format once", name);
    }
    seen.push_back(name);
    at = end + 1;
  }
  return std::nullopt;
}

/// Of a bucket, perhaps with a prefix, and perhaps written as a URL.
std::string UrlOf(const std::string& bucket) {
  return storage::IsUrl(bucket) ? bucket : "s3://" + bucket;
}

Complaint CheckBucket(const std::string& bucket) {
  if (bucket.empty()) return std::nullopt;
  const auto url = storage::ParseS3Url(UrlOf(bucket));
  return url.has_value() ? std::nullopt : Complaint(url.error().message);
}

void CheckFilesPlace(const Settings& settings, Complaints& complaints) {
  if (settings.location == FileLocation::kS3 && settings.bucket.empty()) {
    complaints.About("bucket",
                     "is missing, but location is s3; name the bucket here, or in the variable "
                     "OPEN_DATA_BUCKET",
                     {"location"});
  }
}

/// A keyword of a connection string; libpq fills in what is empty.
void Append(std::string& address, std::string_view keyword, std::string_view value) {
  if (value.empty()) return;
  if (!address.empty()) address += ' ';
  address += keyword;
  address += "='";
  for (const char c : value) {
    if (c == '\'' || c == '\\') address += '\\';
    address += c;
  }
  address += '\'';
}

std::vector<std::string> FormatsOf(std::string_view list) {
  std::vector<std::string> formats(1);
  for (const char c : list) {
    if (c == ',') {
      formats.emplace_back();
    } else if (c != ' ') {
      formats.back() += c;
    }
  }
  return formats;
}

}  // namespace

Section<Settings> Declare() {
  Section<Settings> section;
  section.Field("database", &Settings::database, DeclareDatabase())
      .Help("PostgreSQL with readings, whose days are exported when they change.");
  section.Field("location", &Settings::location)
      .Help("Where the files go.")
      .OneOf({{"local", FileLocation::kLocal}, {"s3", FileLocation::kS3}})
      .Variable("WRITE_FILE_LOCATION");
  section.Field("directory", &Settings::directory)
      .Help("The directory for location local.")
      .Variable("LOCAL_SAVE_DIRECTORY");
  section.Field("bucket", &Settings::bucket)
      .Help("The bucket for location s3, or bucket/prefix.")
      .Check(CheckBucket)
      .OneLine()
      .Variable("OPEN_DATA_BUCKET");
  section.Field("manifests", &Settings::manifests)
      .Help(
          "A directory or s3://bucket/prefix for the manifests of runs, apart from the files; "
          "unless set, manifests/ where the files are.")
      .Check(storage::CheckPlace);
  section.Field("format", &Settings::format)
      .Help("csv, csv.gz or parquet; several at once with commas between.")
      .Check(CheckFormats)
      .Variable("WRITE_FILE_FORMAT");
  section.Field("limit", &Settings::limit)
      .Help("How many location-days a run exports at most; 0: whatever is pending.")
      .AtLeast(0)
      .Variable("LIMIT");
  section.Field("time_limit", &Settings::time_limit)
      .Help("A run claims nothing more when this time nears its end; 0s: no limit.")
      .Between(seconds(0), hours(24 * 7));
  section.Field("settle", &Settings::settle)
      .Help(
          "A day is exported only when it has been over for so long in its location's time zone; "
          "72h spares exporting days again whose readings come late. The operation migrate "
          "puts it into force; unless set, what the log has stays, which is 0s at first.")
      .Between(seconds(0), hours(24 * 366));
  section.Field("claim_timeout", &Settings::claim_timeout)
      .Help("When other exporters may claim days that an exporter claimed and never settled.")
      .Between(minutes(1), hours(24 * 7));
  section.Field("attempts", &Settings::attempts)
      .Help("How often a day that fails is tried; then it rests until its readings change.")
      .Between(1, 1000);
  section.Field("retry_pause", &Settings::retry_pause)
      .Help("The pause before a day that failed is tried again.")
      .Between(milliseconds(0), hours(24 * 7));
  section.Field("retry_for", &Settings::retry_for)
      .Help("How long a run waits for a database that does not answer, before it fails.")
      .Between(milliseconds(0), hours(24));
  section.Field("on_empty", &Settings::on_empty)
      .Help(
          "Whether the files of a day that has no readings any more are removed or kept, also "
          "where its location left the view.")
      .OneOf({{"remove", OnEmpty::kRemove}, {"keep", OnEmpty::kKeep}});
  section.Field("delete_max", &Settings::delete_max)
      .Help(
          "Where more files than this would be removed, since their days have no readings any "
          "more, none is: those days fail.")
      .Between(0, 1'000'000'000);
  section.Field("manifest_retention", &Settings::manifest_retention)
      .Help("How long the manifest of a run is kept, from its end on. The days' files stay.");
  section.Field("day", &Settings::day)
      .Help(
          "Whether a reading at midnight ends the day before it (time_ending) or begins the next "
          "(time_beginning). The operation migrate puts it into force.")
      .OneOf(
          {{"time_ending", DayBound::kTimeEnding}, {"time_beginning", DayBound::kTimeBeginning}});
  section.Rule(CheckFilesPlace);
  return section;
}

std::string Settings::destination() const {
  return location == FileLocation::kS3 ? UrlOf(bucket) : directory.string();
}

Result<> CheckConfigured(const Settings& settings) {
  if (settings.configured()) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "open_data.database.host is not set, so there is no open data; set it, or the "
              "variable DATABASE_HOST");
}

std::string AddressOf(const Database& database, const Login& login) {
  std::string address;
  Append(address, "host", database.host);
  Append(address, "port", std::to_string(database.port));
  Append(address, "dbname", database.name);
  Append(address, "sslmode", database.ssl_mode);
  Append(address, "user", login.user);
  Append(address, "password", login.password.value_or(""));
  return address;
}

OpenDataOptions OptionsOf(const Settings& settings) {
  return {.read_address = AddressOf(settings.database, settings.database.read),
          .write_address = AddressOf(settings.database, settings.database.write),
          .destination = settings.destination(),
          .manifests = settings.manifests.value_or("").string(),
          .formats = FormatsOf(settings.format),
          .limit = settings.limit,
          .time_limit = settings.time_limit,
          .settle = settings.settle,
          .time_ending = settings.day == DayBound::kTimeEnding,
          .claims = {.abandoned_after = settings.claim_timeout,
                     .attempts = settings.attempts,
                     .retry_pause = settings.retry_pause},
          .empty_days = {.keep = settings.on_empty == OnEmpty::kKeep,
                         .delete_max = settings.delete_max},
          .retry_for = settings.retry_for,
          .schema = settings.database.schema};
}

}  // namespace spillway::recipe::open_data
