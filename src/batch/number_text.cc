#include "batch/number_text.h"

#include <utility>

#include <arrow/api.h>

namespace spillway::batch {
namespace {

constexpr const char* kKey = "spillway.text";
constexpr const char* kNumber = "number";

}  // namespace

std::shared_ptr<arrow::Field> NumberTextField(std::string name) {
  return arrow::field(std::move(name), arrow::utf8(), /*nullable=*/true,
                      arrow::key_value_metadata({kKey}, {kNumber}));
}

bool IsNumberText(const arrow::Field& field) {
  if (field.metadata() == nullptr) return false;
  const auto value = field.metadata()->Get(kKey);
  return value.ok() && *value == kNumber;
}

}  // namespace spillway::batch
