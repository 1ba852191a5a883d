#include "lake/ingest/file_publisher.h"

#include <utility>

namespace spillway::lake {
namespace {

/// How many files may wait. Each is open.
constexpr size_t kWaitingMax = 32;

}  // namespace

FilePublisher::FilePublisher(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

void FilePublisher::Abandon() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  threads_.clear();
}

Result<> FilePublisher::Add(std::unique_ptr<DataFileWriter> writer) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.size() < kWaitingMax || failure_; });
  if (failure_) return std::unexpected(*failure_);
  waiting_.push_back(std::move(writer));
  changed_.notify_all();
  return {};
}

Result<std::vector<DataFile>> FilePublisher::Finish() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  threads_.clear();
  if (failure_) return std::unexpected(*failure_);
  return std::move(files_);
}

void FilePublisher::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !waiting_.empty() || ended_ || failure_; });
    if (failure_ || waiting_.empty()) return;
    auto writer = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    changed_.notify_all();
    auto file = writer->Finish();
    writer.reset();
    lock.lock();
    if (file) {
      files_.push_back(*std::move(file));
    } else if (!failure_) {
      failure_ = std::move(file).error();
      waiting_.clear();
      changed_.notify_all();
    }
  }
}

}  // namespace spillway::lake
