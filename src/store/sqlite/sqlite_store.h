#pragma once

#include "base/clock.h"
#include "store/sql/sql_store.h"
#include "store/sqlite/database.h"

namespace spillway::store {

/// Jobs and chunks in one SQLite file. `database` and `clock` outlive the store.
class SqliteStore final : public sql::SqlStore {
 public:
  SqliteStore(Database& database, Clock& clock) : SqlStore(clock), database_(database) {}

  Result<Claims> ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                             std::string_view owner, std::chrono::milliseconds duration) override;
  Result<std::vector<Settled>> Settle(std::span<const Settlement> settlements) override;
  Result<std::vector<bool>> Renew(std::span<const Renewal> renewals,
                                  std::chrono::milliseconds duration) override;
  Result<std::vector<bool>> CancelRequested(std::span<const std::string> job_ids) override;

 private:
  Result<> Transact(sql::Durability durability, const Act& act) override {
    return database_.Write(durability, act);
  }
  Result<> Look(const Act& act) override { return database_.Read(act); }
  Result<> PutChunks(sql::Session& session, int64_t job, std::span<const NewChunk> chunks) override;

  Database& database_;
};

}  // namespace spillway::store
