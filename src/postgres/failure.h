#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace spillway::postgres {

/// What a server refused, and where.
struct Refusal {
  std::string_view sqlstate;  ///< Five characters of PostgreSQL's Appendix A.
  std::string_view message;   ///< The primary message, as the server wrote it.
  std::string_view server;    ///< "PostgreSQL at host:port/database".
  std::string_view user;
  std::string_view sql;       ///< Empty while connecting.
  std::string_view function;  ///< The function in the server's source that raised the error; the
                              ///< same in every language.
};

/// The Error for a refusal, by its SQLSTATE: one line that says what to do.
Error ClassifyRefusal(const Refusal& refusal);

}  // namespace spillway::postgres
