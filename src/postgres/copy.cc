#include <poll.h>

#include <algorithm>

#include "postgres/connection.h"

namespace spillway::postgres {
namespace {

/// How many bytes libpq is given before we wait until they are sent. It would buffer any amount.
constexpr size_t kMaxPieceBytes = 1 << 18;

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};

struct FreeRow {
  void operator()(char* row) const { PQfreemem(row); }
};

}  // namespace

Result<> Connection::BeginCopy(const std::string& sql, ExecStatusType wanted,
                               const std::stop_token& stop) {
  // As a simple query. The extended protocol sends one Sync with the statement and one with the end
  // of the copied data, and the server answers the first only if it fails before it reads any data:
  // the session would then be one answer ahead of us.
  TRY(Sent(PQsendQuery(handle_.get(), sql.c_str()), sql));
  while (PQisBusy(handle_.get()) != 0) TRY(OrAbandon(AwaitInput(stop)));
  const std::unique_ptr<PGresult, Clear> begun(PQgetResult(handle_.get()));
  if (begun == nullptr) return std::unexpected(Lost());
  if (PQresultStatus(begun.get()) == wanted) return {};
  if (PQresultErrorField(begun.get(), PG_DIAG_SQLSTATE) != nullptr) {
    Error refused = Refused(begun.get(), sql);
    std::string sqlstate = sqlstate_;
    TRY(Finished(sql, stop));
    sqlstate_ = std::move(sqlstate);
    return std::unexpected(std::move(refused));
  }
  Abandon();
  return Fail(ErrorCode::kInternal, server_ + ": not a COPY in the direction that was asked for");
}

Result<> Connection::OrAbandon(Result<> step) {
  if (!step.has_value()) Abandon();
  return step;
}

Result<int64_t> Connection::CopyOut(const std::string& sql, const CopySink& sink,
                                    std::stop_token stop) {
  TRY(BeginCopy(sql, PGRES_COPY_OUT, stop));
  while (true) {
    char* data = nullptr;
    const int size = PQgetCopyData(handle_.get(), &data, 1);
    const std::unique_ptr<char, FreeRow> row(data);
    if (size > 0) {
      TRY(OrAbandon(sink(std::as_bytes(std::span(row.get(), static_cast<size_t>(size))))));
      if (stop.stop_requested()) TRY(OrAbandon(std::unexpected(Stopped())));
    } else if (size == 0) {
      TRY(OrAbandon(AwaitInput(stop)));
    } else if (size == -1) {
      break;  // its result follows: done, or why not
    } else {
      return std::unexpected(Lost());
    }
  }
  const std::optional<Rows> copied = TRY(Finished(sql, stop));
  return copied ? copied->affected() : 0;
}

Result<int64_t> Connection::CopyIn(const std::string& sql, const CopySource& source,
                                   std::stop_token stop) {
  TRY(BeginCopy(sql, PGRES_COPY_IN, stop));
  size_t unsent = 0;
  while (true) {
    Result<std::span<const std::byte>> bytes = source();
    if (!bytes.has_value()) {
      Abandon();
      return std::unexpected(std::move(bytes).error());
    }
    if (bytes->empty()) break;
    while (!bytes->empty()) {
      const auto piece = bytes->first(std::min(bytes->size(), kMaxPieceBytes));
      const int put = PQputCopyData(handle_.get(), reinterpret_cast<const char*>(piece.data()),
                                    static_cast<int>(piece.size()));
      if (put != 1) return std::unexpected(Lost());
      *bytes = bytes->subspan(piece.size());
      unsent += piece.size();
      if (unsent < kMaxPieceBytes) continue;
      TRY(OrAbandon(Flush(stop)));
      unsent = 0;
    }
  }
  if (PQputCopyEnd(handle_.get(), nullptr) != 1) return std::unexpected(Lost());
  const std::optional<Rows> copied = TRY(Finished(sql, stop));
  return copied ? copied->affected() : 0;
}

}  // namespace spillway::postgres
