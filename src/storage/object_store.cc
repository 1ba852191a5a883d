#include "storage/object_store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "storage/objects.h"

namespace spillway::storage {
namespace {

Result<ObjectInfo> Put(ObjectStore& store, const NewObject& object) {
  const std::string_view text(reinterpret_cast<const char*>(object.bytes.data()),
                              object.bytes.size());
  return PutWhole(store, object.key, text);
}

}  // namespace

std::future<Result<ObjectRange>> Stage::Begin(Bytes bytes, std::optional<int64_t> /*chunk*/,
                                              std::stop_token stop) {
  std::promise<Result<ObjectRange>> appended;
  appended.set_value(Append(std::array{bytes}, std::move(stop)));
  return appended.get_future();
}

std::vector<Result<ObjectInfo>> ObjectStore::PutMany(std::span<const NewObject> objects) {
  std::vector<Result<ObjectInfo>> answers(objects.size());
  std::atomic<size_t> next = 0;
  const auto put = [&] {
    for (size_t i = next++; i < objects.size(); i = next++) answers[i] = Put(*this, objects[i]);
  };
  std::vector<std::jthread> others;
  for (size_t i = 1; i < std::min(traits().puts_at_once, objects.size()); ++i)
    others.emplace_back(put);
  put();
  others.clear();
  return answers;
}

}  // namespace spillway::storage
