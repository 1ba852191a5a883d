#include "staging/stagings.h"

#include <algorithm>

namespace spillway::engine {

struct Stagings::Entry {
  Entry(const Job& job, std::shared_ptr<storage::ObjectStore> into, std::string directory,
        std::string owner, size_t pending_bytes_max)
      : job_id(job.id),
        store(std::move(into)),
        staging(*store, Staging::PrefixOf(job.id), std::move(owner), pending_bytes_max,
                {.directory = std::move(directory), .chunks = job.chunks_total}) {}

  const std::string job_id;
  const std::shared_ptr<storage::ObjectStore> store;
  Staging staging;
  int users = 0;
  bool dropped = false;
};

Staging& Stagings::Use::operator*() const { return entry_->staging; }

Stagings::Stagings(std::string owner, size_t pending_bytes_max)
    : owner_(std::move(owner)), pending_bytes_max_(pending_bytes_max) {}

Stagings::~Stagings() = default;

Stagings::Use Stagings::Of(const Job& job, const std::shared_ptr<storage::ObjectStore>& store,
                           std::string directory) {
  std::lock_guard lock(mutex_);
  stores_.insert(store);
  auto entry = std::ranges::find_if(
      entries_, [&job](const Entry& open) { return open.job_id == job.id && !open.dropped; });
  if (entry != entries_.end() && entry->store != store) {
    entry->dropped = true;
    if (entry->users == 0) entries_.erase(entry);
    entry = entries_.end();
  }
  if (entry == entries_.end()) {
    entry = entries_.emplace(entries_.end(), job, store, std::move(directory),
                             owner_ + "-" + std::to_string(++opened_), pending_bytes_max_);
  }
  ++entry->users;
  return Use(*this, *entry);
}

void Stagings::Leave(Entry* entry) {
  std::lock_guard lock(mutex_);
  if (--entry->users > 0 || !entry->dropped) return;
  entries_.remove_if([entry](const Entry& open) { return &open == entry; });
}

void Stagings::Drop(std::string_view job_id) {
  std::lock_guard lock(mutex_);
  entries_.remove_if([job_id](Entry& open) {
    open.dropped |= open.job_id == job_id;
    return open.dropped && open.users == 0;
  });
}

std::vector<std::string> Stagings::Unused() {
  std::lock_guard lock(mutex_);
  std::vector<std::string> unused;
  for (const Entry& open : entries_) {
    if (open.users == 0) unused.push_back(open.job_id);
  }
  return unused;
}

void Stagings::Note(const std::shared_ptr<storage::ObjectStore>& store) {
  std::lock_guard lock(mutex_);
  stores_.insert(store);
}

std::vector<std::shared_ptr<storage::ObjectStore>> Stagings::Stores() {
  std::lock_guard lock(mutex_);
  std::erase_if(stores_, [](const auto& store) { return store.expired(); });
  std::vector<std::shared_ptr<storage::ObjectStore>> open;
  for (const auto& store : stores_) {
    if (auto held = store.lock()) open.push_back(std::move(held));
  }
  return open;
}

}  // namespace spillway::engine
