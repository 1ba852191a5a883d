#include "source/postgres/database_settings.h"

#include "postgres/address.h"

namespace spillway::postgres_source {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;

namespace {

/// Not by the field's own check, since of a secret no problem says what it is.
void CheckUrl(const DatabaseSettings& settings, config::Complaints& complaints) {
  if (postgres::ParseAddress(settings.url).has_value()) return;
  complaints.About("url",
                   "does not read as postgres://user@host:port/database; percent-encode special "
                   "characters");
}

}  // namespace

Section<DatabaseSettings> DeclareDatabase() {
  Section<DatabaseSettings> section;
  section.Field("url", &DatabaseSettings::url)
      .Help(
          "Where it is: postgres://user@host:5432/database?sslmode=verify-full, as libpq takes it. "
          "The password may stand in it as ${VARIABLE}, or in the file of PGPASSFILE.")
      .Required()
      .Secret()
      .OneLine();
  section.Field("statement_timeout", &DatabaseSettings::statement_timeout)
      .Help("A statement that takes longer is ended, and the job fails; 0s for no limit.")
      .Between(milliseconds(0), hours(24 * 7));
  section.Rule(CheckUrl);
  return section;
}

}  // namespace spillway::postgres_source
