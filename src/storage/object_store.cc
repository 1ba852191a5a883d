#include "storage/object_store.h"

namespace spillway::storage {
namespace {

Result<ObjectInfo> Put(ObjectStore& store, const NewObject& object) {
  const std::unique_ptr<ObjectWriter> writer = TRY(store.Create(object.key, Overwrite::kAllowed));
  TRY(writer->Write(object.bytes));
  return writer->Finish();
}

}  // namespace

std::vector<Result<ObjectInfo>> ObjectStore::PutMany(std::span<const NewObject> objects) {
  std::vector<Result<ObjectInfo>> answers;
  answers.reserve(objects.size());
  for (const NewObject& object : objects) answers.push_back(Put(*this, object));
  return answers;
}

}  // namespace spillway::storage
