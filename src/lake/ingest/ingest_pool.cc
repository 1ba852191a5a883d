#include "lake/ingest/ingest_pool.h"

#include <chrono>
#include <exception>
#include <new>
#include <utility>

namespace spillway::lake {
namespace {

constexpr std::chrono::milliseconds kMeanwhile{100};

}  // namespace

IngestPool::IngestPool(int threads, const std::function<Worker()>& make_worker,
                       std::function<std::vector<PartitionRows>()> take_all, std::stop_token stop)
    : blocks_max_(static_cast<size_t>(threads) + 2),
      running_(threads),
      take_all_(std::move(take_all)),
      on_stop_(std::move(stop), [this] {
        Fail({.code = ErrorCode::kCancelled, .message = "the ingest was cancelled"});
      }) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, worker = make_worker()] { Run(worker); });
  }
}

IngestPool::~IngestPool() {
  Fail({.code = ErrorCode::kCancelled, .message = "the ingest was given up"});
}

bool IngestPool::Add(LineBlock block) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return blocks_.size() < blocks_max_ || failure_; });
  if (failure_) return false;
  blocks_.push_back(std::move(block));
  changed_.notify_all();
  return true;
}

Result<> IngestPool::Finish(const std::function<void()>& meanwhile) {
  std::unique_lock lock(mutex_);
  input_ended_ = true;
  changed_.notify_all();
  while (!changed_.wait_for(lock, kMeanwhile, [&] { return running_ == 0; })) {
    lock.unlock();
    meanwhile();
    lock.lock();
  }
  lock.unlock();
  threads_.clear();
  lock.lock();
  if (failure_) return std::unexpected(*failure_);
  return {};
}

std::optional<IngestPool::Task> IngestPool::Next() {
  std::unique_lock lock(mutex_);
  while (!failure_) {
    if (!writes_.empty()) {
      Task task = std::move(writes_.front());
      writes_.pop_front();
      return task;
    }
    if (!blocks_.empty()) {
      Task task = std::move(blocks_.front());
      blocks_.pop_front();
      ++parsing_;
      changed_.notify_all();
      return task;
    }
    if (input_ended_ && parsing_ == 0) {
      if (took_all_) return std::nullopt;
      took_all_ = true;
      for (PartitionRows& rows : take_all_()) writes_.push_back(std::move(rows));
      changed_.notify_all();
      continue;
    }
    changed_.wait(lock);
  }
  return std::nullopt;
}

Result<> IngestPool::Do(const Worker& worker, Task& task) {
  try {
    if (const auto* rows = std::get_if<PartitionRows>(&task)) {
      return worker.write(*rows, abort_.get_token());
    }
    AddWrites(TRY(worker.parse(std::get<LineBlock>(std::move(task)))));
    return {};
  } catch (const std::bad_alloc&) {
    return spillway::Fail(ErrorCode::kOutOfSpace, "out of memory: allow the ingest less of it");
  } catch (const std::exception& error) {
    return spillway::Fail(ErrorCode::kInternal, error.what());
  }
}

void IngestPool::AddWrites(std::vector<PartitionRows> rows) {
  if (rows.empty()) return;
  const std::lock_guard lock(mutex_);
  for (PartitionRows& more : rows) writes_.push_back(std::move(more));
  changed_.notify_all();
}

void IngestPool::Done(const Task& task) {
  if (!std::holds_alternative<LineBlock>(task)) return;
  const std::lock_guard lock(mutex_);
  --parsing_;
  changed_.notify_all();
}

void IngestPool::Run(const Worker& worker) {
  while (auto task = Next()) {
    auto done = Do(worker, *task);
    Done(*task);
    if (!done) Fail(std::move(done).error());
  }
  const std::lock_guard lock(mutex_);
  --running_;
  changed_.notify_all();
}

void IngestPool::Fail(Error error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(error);
  abort_.request_stop();
  changed_.notify_all();
}

}  // namespace spillway::lake
