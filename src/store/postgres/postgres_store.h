#pragma once

#include "base/clock.h"
#include "store/postgres/database.h"
#include "store/sql/sql_store.h"

namespace spillway::store::postgres_state {

/// Jobs and chunks in a PostgreSQL database. `database` and `clock` outlive the store. Every call
/// that gives out a fencing token, or settles anything, survives a crash of the server before it
/// returns, since its clients survive that too; renewals need not. Clocks of different machines may
/// differ: a lease is then taken over early or late by as much, and fencing keeps that harmless.
class PostgresStore final : public sql::SqlStore {
 public:
  PostgresStore(Database& database, Clock& clock) : SqlStore(clock), database_(database) {}

  Result<Claims> ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                             std::string_view owner, std::chrono::milliseconds duration) override;
  Result<std::vector<Settled>> Settle(std::span<const Settlement> settlements) override;
  Result<std::vector<bool>> Renew(std::span<const Renewal> renewals,
                                  std::chrono::milliseconds duration) override;
  Result<std::vector<bool>> CancelRequested(std::span<const std::string> job_ids) override;

 private:
  Result<> Transact(sql::Durability, const Act& act) override { return database_.Write(act); }
  Result<> Look(const Act& act) override { return database_.Read(act); }
  Result<> PutChunks(sql::Session& session, int64_t job, std::span<const NewChunk> chunks) override;

  Database& database_;
};

}  // namespace spillway::store::postgres_state
