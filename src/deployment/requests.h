#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "recipe/recipe.h"
#include "request/form.h"
#include "request/identity.h"
#include "settings/exports.h"

namespace spillway {

/// How a surface names a field: "--rows-per-file", "rows_per_file".
using NameField = std::function<std::string(const std::string& field)>;

/// A field under its own name.
std::string PlainName(const std::string& field);

/// What `who` asks of an export by the texts of its form. kInvalidArgument says everything that is
/// wrong, with fields named by `name`.
Result<recipe::Request> RequestOf(const ConfiguredExport& exported, const request::Texts& texts,
                                  request::Identity who, request::Asking asking,
                                  const NameField& name = PlainName);

/// All that is wrong in one line: "limit is -5; use a whole number of at least 0".
Error ToError(const request::Problems& problems, const NameField& name);

}  // namespace spillway
