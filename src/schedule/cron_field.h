#pragma once

#include <bitset>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace spillway::schedule {

/// What a field of a cron expression may hold.
struct FieldRange {
  std::string_view name;
  int least = 0;
  int most = 0;
  std::span<const std::string_view> names;  ///< Of the values from `least` on; may be empty.
};

extern const FieldRange kMinuteField;
extern const FieldRange kHourField;
extern const FieldRange kDayField;
extern const FieldRange kMonthField;
extern const FieldRange kWeekdayField;  ///< 0 and 7 are Sunday; only one of them is ever set.

/// Widest of all fields.
using FieldValues = std::bitset<60>;

/// The values of a field that begins at `column` (from 1) of the expression.
Result<FieldValues> ParseField(const FieldRange& range, std::string_view text, size_t column);

/// `column 3: hour 25 is …`.
std::unexpected<Error> FailAt(size_t column, const std::string& problem);

}  // namespace spillway::schedule
