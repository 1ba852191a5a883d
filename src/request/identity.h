#pragma once

#include <string>

#include "request/form.h"

namespace spillway::request {

/// Who asks for something, on whose behalf, and with which right.
struct Identity {
  std::string user;          ///< For records: "ada", "schedule nightly, 2025-01-31T00:00:00Z".
  std::string organisation;  ///< Whose data it is about; empty: no organisation's.
  Role role = Role::kUser;
};

}  // namespace spillway::request
