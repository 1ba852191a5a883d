#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

/// What people ask for, before a recipe looks at it: which fields a request has, who may set them,
/// and how the texts of a command line, a schedule or a page become its parameters.
namespace spillway::request {

/// Who may set a field: each may also set what those before may.
enum class Role {
  kUser,           ///< Somebody of an organisation.
  kAdministrator,  ///< Who administers that organisation.
  kOperator,       ///< Who runs Spillway, on its command line or in its configuration.
};

/// One of the names that a field of kind kValues has.
struct ValueName {
  std::string name;
  bool is_tick = false;  ///< A schedule gives it its tick, unless it is given.
};

struct Field {
  enum class Kind {
    kText,
    kCount,     ///< A whole number.
    kSize,      ///< "64 MiB"; bytes in the parameters.
    kDuration,  ///< "14m"; milliseconds in the parameters.
    kChoice,    ///< One of `choices`.
    kFlag,      ///< Given or not; no text.
    kList,      ///< Texts.
    kCounts,    ///< Whole numbers.
    kColumns,   ///< Names, or source=name; {"source", "name"} in the parameters.
    kValues,    ///< name=value; an object in the parameters.
    kPlace,     ///< A directory, or s3://bucket/prefix.
  };

  std::string
      name;  ///< "rows_per_file"; on the command line --rows-per-file, unless `flag` is set.
  Kind kind = Kind::kText;
  std::string help;
  std::string member = {};  ///< Where it is in the parameters, "limits.rows_per_file"; else `name`.
  std::string flag = {};    ///< Without dashes.
  char letter = 0;          ///< Of a short flag.
  Role set_by = Role::kUser;
  bool required = false;
  bool may_be_empty = false;
  std::string expectation = {};             ///< In words, where its kind doesn't say enough.
  std::optional<std::string> if_bare = {};  ///< The text that a flag without a value stands for.
  int64_t least = 0;                        ///< Of counts and durations (in milliseconds).
  int64_t most = std::numeric_limits<int64_t>::max();
  /// As they are written, and as they are in the parameters.
  std::vector<std::pair<std::string, std::string>> choices = {};
  std::optional<std::vector<ValueName>> names = {};  ///< Of kValues, where they are known.

  std::string_view path() const { return member.empty() ? name : member; }
  std::string flag_name() const;
};

/// What can be asked of an export.
struct Form {
  std::string of;  ///< Whom it is for, in the plural: "exports of messages".
  /// Whether an export is of an organisation, which is who asks, or on whose behalf.
  enum class Organisation { kNone, kOptional, kRequired } organisation = Organisation::kNone;
  /// Set: it has a range of time (see time_range.h), by the fields from, to, through and time_zone;
  /// this is the zone that counts where none is given. The parameters have its instants.
  std::optional<std::string> range_zone = {};
  std::vector<Field> fields = {};

  const Field* Find(std::string_view name) const;
};

/// The fields of a range of time.
std::vector<Field> RangeFields();

/// Texts by the name of their field; single values have one text, flags none.
using Texts = std::map<std::string, std::vector<std::string>>;

/// Something that is wrong with a field.
struct Problem {
  std::string field;  ///< "limit", or "parameters.customer" for one name of kValues; or empty.
  std::string
      message;  ///< Goes on from the field's name: "is -5; use a whole number of at least 0".
};
using Problems = std::vector<Problem>;

/// Who asks, and when.
struct Asking {
  Role role = Role::kUser;
  Timestamp at;                   ///< What the words of a range are relative to.
  std::optional<Timestamp> tick;  ///< Of a schedule.
};

/// The parameters that a recipe takes, a JSON object; or everything that is wrong.
std::expected<std::string, Problems> ParametersOf(const Form& form, const Texts& texts,
                                                  const Asking& asking);

/// What is wrong with the name of an organisation, which goes into folders and messages as it is.
std::optional<std::string> CheckName(const std::string& name);

/// What is wrong with the organisation that an export is asked for; empty: none is given.
std::optional<Problem> CheckOrganisation(const Form& form, const std::string& organisation);

/// In words: "a whole number of at least 0", "csv, json, ndjson or parquet".
std::string ExpectationOf(const Field& field);

}  // namespace spillway::request
