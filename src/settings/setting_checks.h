#pragma once

#include <filesystem>

#include "config/section.h"
#include "request/form.h"
#include "settings/state_address.h"

namespace spillway {

/// What is wrong with a state, which is a file, or a PostgreSQL database by its URL. Says nothing
/// of what is in it: it may be a mistyped URL with a password.
config::Complaint CheckState(const StateAddress& state);

/// Why exports must not be written to `place`, which is a directory or a bucket's prefix, where the
/// lake is at `lake`: one of the two lies in the other, or the place has what jobs have staged.
config::Complaint CheckDestination(const std::filesystem::path& place,
                                   const std::filesystem::path& lake);

/// The same of the places that a request names.
request::Problems CheckPlaces(const request::Form& form, const request::Texts& texts,
                              const std::filesystem::path& lake);

}  // namespace spillway
