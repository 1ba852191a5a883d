#include "storage/objects.h"

#include <memory>
#include <span>
#include <vector>

namespace spillway::storage {
namespace {

constexpr size_t kPage = 1000;

}  // namespace

Result<> ForEachObject(ObjectStore& store, std::string_view prefix,
                       const std::function<Result<>(const ObjectInfo&)>& visit) {
  std::string after;
  while (true) {
    const std::vector<ObjectInfo> page = TRY(store.List(prefix, after, kPage));
    for (const ObjectInfo& object : page) TRY(visit(object));
    if (page.size() < kPage) return {};
    after = page.back().key;
  }
}

Result<std::string> ReadWhole(ObjectStore& store, std::string_view key, std::stop_token stop) {
  const std::unique_ptr<ObjectReader> reader = TRY(store.Open(key, std::move(stop)));
  std::string text(reader->size(), '\0');
  const size_t read = TRY(reader->ReadAt(0, std::as_writable_bytes(std::span(text))));
  if (read == text.size()) return text;
  return Fail(ErrorCode::kCorrupt, std::string(key) + ": the object is cut short");
}

Result<ObjectInfo> PutWhole(ObjectStore& store, std::string_view key, std::string_view text,
                            Overwrite overwrite) {
  const std::unique_ptr<ObjectWriter> writer = TRY(store.Create(key, overwrite));
  TRY(writer->Write(std::as_bytes(std::span(text))));
  return writer->Finish();
}

}  // namespace spillway::storage
