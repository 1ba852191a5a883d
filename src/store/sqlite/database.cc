#include "store/sqlite/database.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <thread>

#include "base/directory_sync.h"
#include "store/sqlite/migrations.h"

namespace spillway::store {
namespace {

constexpr size_t kBatchMax = 64;
constexpr size_t kIdleReadersMax = 4;

/// A new file's name survives a loss of power once its folder is synced.
Result<> SyncFolder(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(FromErrno(errno, folder.string()));
  const int status = SyncDirectory(descriptor);
  const int error = errno;
  close(descriptor);
  if (status != 0) return std::unexpected(FromErrno(error, folder.string()));
  return {};
}

/// SQLite does not wait for other processes while it turns a new file to WAL.
Result<> TurnToWal(Connection& connection) {
  constexpr int kTries = 400;
  for (int tries = 1;; ++tries) {
    Result<> turned = connection.Execute("PRAGMA journal_mode = WAL");
    if (turned || turned.error().code != ErrorCode::kUnavailable || tries == kTries) return turned;
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
}

/// What people asked for may be secret. SQLite's own files beside it get its mode. A file that is
/// there already keeps its own; where none can be made, SQLite says why.
void MakeForItsOwnerAlone(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file >= 0) close(file);
}

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const std::filesystem::path& path,
                                                 std::chrono::milliseconds busy_timeout) {
  if (path != ":memory:") MakeForItsOwnerAlone(path);
  std::unique_ptr<Connection> writer =
      TRY(Connection::Open(path, Connection::Mode::kReadWrite, busy_timeout));
  TRY(TurnToWal(*writer));
  TRY(writer->Execute("PRAGMA wal_autocheckpoint = 2000; PRAGMA journal_size_limit = 67108864"));
  TRY(Migrate(*writer, path.string()));
  if (path != ":memory:") TRY(SyncFolder(path));
  return std::unique_ptr<Database>(new Database(path, busy_timeout, std::move(writer)));
}

Result<std::optional<Database::FileId>> Database::IdOf(const std::filesystem::path& path) {
  struct stat status;
  if (stat(path.c_str(), &status) == 0) return FileId(status.st_dev, status.st_ino);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  return std::unexpected(FromErrno(errno, "cannot look at the state " + path.string()));
}

/// The connections would go on with the former file, which nobody else sees.
Result<> Database::CheckInPlace() const {
  if (in_memory_ || TRY(IdOf(path_)) == file_) return {};
  return FailTransient(
      ErrorCode::kUnavailable,
      path_.string() +
          " is no longer the file that was opened: it was removed or replaced; put "
          "it back, or start this process again");
}

Result<> Database::Commit(Durability durability, const Act& act) {
  Waiting own{.durability = durability, .act = &act};
  std::unique_lock lock(mutex_);
  line_.push_back(&own);
  while (true) {
    own.turn.wait(lock, [&] { return own.done || !committing_; });
    if (own.done) return std::move(own.answer);

    committing_ = true;
    std::array<Waiting*, kBatchMax> batch;
    const size_t size = std::min(line_.size(), kBatchMax);
    std::copy_n(line_.begin(), size, batch.begin());
    line_.erase(line_.begin(), line_.begin() + static_cast<ptrdiff_t>(size));
    lock.unlock();
    CommitTogether({batch.data(), size});
    lock.lock();
    committing_ = false;
    for (Waiting* settled : std::span(batch.data(), size)) {
      settled->done = true;
      settled->turn.notify_one();
    }
    if (!line_.empty()) line_.front()->turn.notify_one();
  }
}

void Database::CommitTogether(std::span<Waiting* const> batch) {
  Result<> committed = RunBatch(batch);
  if (committed) return;
  if (writer_->InTransaction()) static_cast<void>(writer_->Execute("ROLLBACK"));
  for (Waiting* waiting : batch) waiting->answer = committed;
}

Result<> Database::RunBatch(std::span<Waiting* const> batch) {
  const bool to_disk = std::ranges::any_of(
      batch, [](const Waiting* waiting) { return waiting->durability == Durability::kDisk; });
  TRY(SetSynchronous(to_disk ? Durability::kDisk : Durability::kProcess));
  TRY(Query(*writer_, "BEGIN IMMEDIATE").Run());
  TRY(CheckInPlace());
  TRY(RefuseNewer(*writer_, path_.native()));
  if (batch.size() == 1) {
    TRY((*batch.front()->act)(*writer_));
  } else {
    for (Waiting* waiting : batch) TRY(RunInSavepoint(*waiting));
  }
  TRY(Query(*writer_, "COMMIT").Run());
  return {};
}

Result<> Database::RunInSavepoint(Waiting& waiting) {
  TRY(Query(*writer_, "SAVEPOINT act").Run());
  waiting.answer = (*waiting.act)(*writer_);
  if (!writer_->InTransaction()) return waiting.answer;
  if (!waiting.answer) TRY(Query(*writer_, "ROLLBACK TO act").Run());
  TRY(Query(*writer_, "RELEASE act").Run());
  return {};
}

Result<> Database::SetSynchronous(Durability durability) {
  if (synchronous_ == durability) return {};
  TRY(writer_->Execute(durability == Durability::kDisk ? "PRAGMA synchronous = FULL"
                                                       : "PRAGMA synchronous = NORMAL"));
  synchronous_ = durability;
  return {};
}

Result<std::unique_ptr<Connection>> Database::TakeReader() {
  TRY(CheckInPlace());  // A new connection would make the file.
  std::unique_ptr<Connection> reader;
  {
    std::lock_guard lock(readers_mutex_);
    if (!readers_.empty()) {
      reader = std::move(readers_.back());
      readers_.pop_back();
    }
  }
  if (reader == nullptr)
    reader = TRY(Connection::Open(path_, Connection::Mode::kReadOnly, busy_timeout_));
  TRY(Query(*reader, "BEGIN").Run());
  // What is read first fixes what the transaction sees; the file was in its place then.
  TRY(RefuseNewer(*reader, path_.native()));
  TRY(CheckInPlace());
  return reader;
}

void Database::GiveReader(std::unique_ptr<Connection> reader) {
  if (!Query(*reader, "COMMIT").Run().has_value()) return;
  std::lock_guard lock(readers_mutex_);
  if (readers_.size() < kIdleReadersMax) readers_.push_back(std::move(reader));
}

}  // namespace spillway::store
