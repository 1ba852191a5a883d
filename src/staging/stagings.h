#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "job/job.h"
#include "staging/staging.h"
#include "storage/object_store.h"

namespace spillway::engine {

/// The stagings of one process, one a job that it works on. A staging keeps its store open.
/// Thread-safe.
class Stagings {
  struct Entry;

 public:
  /// Keeps a job's staging open, until it goes out of scope.
  class Use {
   public:
    Use() = default;
    Use(Use&& other) noexcept
        : stagings_(std::exchange(other.stagings_, nullptr)), entry_(other.entry_) {}
    Use& operator=(Use&& other) noexcept {
      std::swap(stagings_, other.stagings_);
      std::swap(entry_, other.entry_);
      return *this;
    }
    ~Use() {
      if (stagings_ != nullptr) stagings_->Leave(entry_);
    }

    Staging& operator*() const;

   private:
    friend class Stagings;
    Use(Stagings& stagings, Entry& entry) : stagings_(&stagings), entry_(&entry) {}

    Stagings* stagings_ = nullptr;
    Entry* entry_ = nullptr;
  };

  Stagings(std::string owner, size_t pending_bytes_max);
  ~Stagings();

  /// `directory` is where the job's files are to stand in `store`. For another store than before, as
  /// when a directory was replaced, a new staging begins.
  Use Of(const Job& job, const std::shared_ptr<storage::ObjectStore>& store, std::string directory);

  /// Closes the job's stages as soon as nobody uses them; whoever comes later begins new ones.
  void Drop(std::string_view job_id);

  /// Jobs whose stages are open although nobody works on them now.
  std::vector<std::string> Unused();

  /// Notes that something is staged in the store without a Staging.
  void Note(const std::shared_ptr<storage::ObjectStore>& store);

  /// The stores to which anything was staged so far, of those that are still open.
  std::vector<std::shared_ptr<storage::ObjectStore>> Stores();

 private:
  void Leave(Entry* entry);

  const std::string owner_;
  const size_t pending_bytes_max_;
  std::mutex mutex_;
  int64_t opened_ = 0;
  std::list<Entry> entries_;
  std::set<std::weak_ptr<storage::ObjectStore>, std::owner_less<>> stores_;
};

}  // namespace spillway::engine
