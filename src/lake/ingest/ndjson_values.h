#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

/// What a JSON token means as a value of a column, exactly or not at all. The error is a reason
/// that completes "field x: …".
namespace spillway::lake {

template <class T>
using ValueOr = std::expected<T, std::string>;

/// Microseconds since 1970-01-01 UTC of an RFC 3339 time: `T`, `t` or a blank between date and
/// time, any number of fractional digits, and `Z`, `z`, `±hh:mm`, `±hhmm` or `±hh`. Digits below
/// the microsecond must be zero: none is cut off. The second 60, a leap second, is the first of the
/// next minute, as PostgreSQL has it. Years 0001 to 9999, in UTC too.
ValueOr<int64_t> ParseTime(std::string_view text);

/// Days since 1970-01-01 of a date as RFC 3339 writes it, `2026-01-31`. Years 0001 to 9999.
ValueOr<int64_t> ParseDate(std::string_view text);

/// A JSON number that is whole and fits.
ValueOr<int64_t> ParseInt64(std::string_view token);

/// `value * 10^scale` of a JSON number with no more than `precision` digits, of which `scale`
/// after the point.
ValueOr<__int128> ParseDecimal(std::string_view token, int precision, int scale);

/// The nearest double. A number without exponent beyond 2^53 must be one exactly.
ValueOr<double> ParseDouble(std::string_view token);

}  // namespace spillway::lake
