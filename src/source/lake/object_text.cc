#include "source/lake/object_text.h"

#include <span>

namespace spillway::lake {

Result<std::string> ReadText(storage::ObjectStore& store, std::string_view key) {
  const auto reader = TRY(store.Open(key, {}));
  std::string text(reader->size(), '\0');
  const size_t read = TRY(reader->ReadAt(0, std::as_writable_bytes(std::span(text))));
  if (read != text.size()) {
    return Fail(ErrorCode::kCorrupt, std::string(key) + ": the object is cut short");
  }
  return text;
}

Result<> WriteText(storage::ObjectStore& store, std::string_view key, std::string_view text,
                   storage::Overwrite overwrite) {
  const auto writer = TRY(store.Create(key, overwrite));
  TRY(writer->Write(std::as_bytes(std::span(text))));
  TRY(writer->Finish());
  return {};
}

}  // namespace spillway::lake
