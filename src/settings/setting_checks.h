#pragma once

#include "config/section.h"
#include "settings/state_address.h"

namespace spillway {

/// What is wrong with a state, which is a file, or a PostgreSQL database by its URL. Says nothing
/// of what is in it: it may be a mistyped URL with a password.
config::Complaint CheckState(const StateAddress& state);

}  // namespace spillway
