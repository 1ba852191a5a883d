#pragma once

#include <cstdint>

/// Functions and values that depend on when a transaction or a statement began, as they appear in a
/// parse tree. OIDs of pg_proc.dat never change.
namespace spillway::postgres_source {

inline constexpr int64_t kNow = 1299;
inline constexpr int64_t kTransactionTimestamp = 2647;
inline constexpr int64_t kStatementTimestamp = 2648;
inline constexpr int64_t kAgeOfInstant = 1386;    ///< age(timestamptz): from today's midnight.
inline constexpr int64_t kAgeOfTimestamp = 2059;  ///< age(timestamp)
inline constexpr int64_t kTimeWithZone = 2047;    ///< timetz(time): today's offset.
inline constexpr int64_t kTimeAtZone = 2037;      ///< timezone(text, timetz): today's offset.

// And of pg_type.dat.
inline constexpr int64_t kTimestamp = 1114;
inline constexpr int64_t kTimestamptz = 1184;

constexpr bool IsTimeFunction(int64_t function) {
  return function == kNow || function == kTransactionTimestamp || function == kStatementTimestamp ||
         function == kAgeOfInstant || function == kAgeOfTimestamp || function == kTimeWithZone ||
         function == kTimeAtZone;
}

/// SQLValueFunctionOp of primnodes.h: CURRENT_DATE to LOCALTIMESTAMP(n); then come roles.
constexpr bool IsTimeValue(int64_t operation) { return operation <= 8; }

}  // namespace spillway::postgres_source
