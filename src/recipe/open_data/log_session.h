#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "postgres/connection.h"
#include "recipe/open_data/settings.h"
#include "recipe/operation.h"

namespace spillway::recipe::open_data {

/// A session with the export log, by statements in which @schema@ stands for its schema. One thread
/// at a time.
class LogSession {
 public:
  /// As the owner of the log, whose address `as` is; if that is empty, as the writing role.
  static Result<LogSession> Open(const Settings& settings, const std::string& as);

  Result<postgres::Rows> Execute(std::string_view sql,
                                 std::initializer_list<postgres::Parameter> parameters = {});

  /// The numbers that a statement returns.
  Result<std::vector<int64_t>> Numbers(std::string_view sql);

  using ActOnSlice = std::function<Result<>(std::span<const int64_t> locations)>;

  /// Goes through the locations in slices, each of about a second, so that nobody waits for long,
  /// and tells `progress` how far it is. A slice with a row that somebody else holds is tried
  /// again, for twenty seconds and as long as it waits itself.
  Result<> InSlices(std::span<const int64_t> locations, const std::string& title,
                    const ShowProgress& progress, const ActOnSlice& act);

  postgres::Connection& connection() { return *connection_; }
  const std::string& schema() const { return schema_; }

 private:
  LogSession(std::unique_ptr<postgres::Connection> connection, std::string schema)
      : connection_(std::move(connection)), schema_(std::move(schema)) {}

  std::unique_ptr<postgres::Connection> connection_;
  std::string schema_;
  bool locked_out_ = false;  ///< Whether somebody else's lock ended the last statement.
};

}  // namespace spillway::recipe::open_data
