#include "recipe/open_data/log_session.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "recipe/open_data/migrations.h"

namespace spillway::recipe::open_data {
namespace {

constexpr size_t kLocationsPerSliceMax = 4096;
constexpr std::chrono::milliseconds kSliceShort{500};
constexpr std::chrono::milliseconds kSliceLong{2000};
constexpr std::chrono::milliseconds kLockPause{200};
constexpr int kLockAttempts = 100;

/// lock_not_available, deadlock_detected.
bool IsOfLocks(std::string_view sqlstate) { return sqlstate == "55P03" || sqlstate == "40P01"; }

}  // namespace

Result<LogSession> LogSession::Open(const Settings& settings, const std::string& as) {
  auto connection = TRY(postgres::Connection::Open(
      as.empty() ? AddressOf(settings.database, settings.database.write) : as));
  std::string schema = TRY(LogSchema(*connection, settings.database.schema));
  return LogSession(std::move(connection), std::move(schema));
}

Result<postgres::Rows> LogSession::Execute(std::string_view sql,
                                           std::initializer_list<postgres::Parameter> parameters) {
  Result<postgres::Rows> rows = connection_->Execute(WithSchema(sql, schema_), parameters);
  locked_out_ = !rows.has_value() && IsOfLocks(connection_->sqlstate());
  return rows;
}

Result<std::vector<int64_t>> LogSession::Numbers(std::string_view sql) {
  const postgres::Rows rows = TRY(Execute(sql));
  std::vector<int64_t> numbers;
  for (int row = 0; row < rows.size(); ++row) numbers.push_back(rows.Integer(row, 0));
  return numbers;
}

Result<> LogSession::InSlices(std::span<const int64_t> locations, const std::string& title,
                              const ShowProgress& progress, const ActOnSlice& act) {
  size_t size = 1;
  int attempts = 0;
  for (size_t done = 0; done < locations.size();) {
    progress(title, "locations", static_cast<int64_t>(done),
             static_cast<int64_t>(locations.size()));
    const auto slice = locations.subspan(done, std::min(size, locations.size() - done));
    const auto began = std::chrono::steady_clock::now();
    Result<> acted = act(slice);
    if (!acted.has_value()) {
      if (!locked_out_ || ++attempts == kLockAttempts) return acted;
      size = std::max<size_t>(1, slice.size() / 2);
      std::this_thread::sleep_for(kLockPause);
      continue;
    }
    attempts = 0;
    done += slice.size();
    const auto took = std::chrono::steady_clock::now() - began;
    if (took < kSliceShort) size = std::min(size * 2, kLocationsPerSliceMax);
    if (took > kSliceLong) size = std::max<size_t>(1, size / 2);
  }
  return {};
}

}  // namespace spillway::recipe::open_data
