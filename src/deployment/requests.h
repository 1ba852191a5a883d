#pragma once

#include <string>

#include "base/error.h"
#include "recipe/recipe.h"
#include "request/form.h"
#include "request/identity.h"
#include "settings/exports.h"

namespace spillway {

/// Words what is wrong with a field, as one line: "limit is -5; use a whole number of at least 0".
using NameField = std::string (*)(const request::Form& form, const std::string& field);

/// A field under its own name.
std::string PlainName(const request::Form& form, const std::string& field);

/// What `who` asks of an export by the texts of its form. kInvalidArgument says everything that is
/// wrong, with fields named by `name`.
Result<recipe::Request> RequestOf(const ConfiguredExport& exported, const request::Texts& texts,
                                  request::Identity who, request::Asking asking,
                                  NameField name = PlainName);

/// The error that says all that is wrong.
Error ToError(const request::Form& form, const request::Problems& problems, NameField name);

}  // namespace spillway
