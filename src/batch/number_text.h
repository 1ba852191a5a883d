#pragma once

#include <memory>
#include <string>

#include <arrow/type_fwd.h>

namespace spillway::batch {

/// A text field whose values spell numbers as their source does, because no Arrow type holds them
/// all exactly: "-5.25", "NaN". Said in the field's metadata, so that a format can tell them from
/// what people wrote.
std::shared_ptr<arrow::Field> NumberTextField(std::string name);
bool IsNumberText(const arrow::Field& field);

}  // namespace spillway::batch
