#pragma once

#include <map>
#include <string>
#include <string_view>

#include "config/problem.h"

namespace spillway::config {

/// A variable that a file gives.
struct FileVariable {
  std::string text;
  Position position;
  std::string problem;  ///< Why the text cannot be used ("has …; do …"); empty: it can.
};

using FileVariables = std::map<std::string, FileVariable, std::less<>>;

/// Reads lines of NAME=value, as python-dotenv does. Blank lines and lines that begin with `#` are
/// skipped; a leading `export ` is ignored; of two lines with one name the later counts; a name
/// alone sets nothing. A value in quotes may have line breaks: single quotes take everything
/// literally, in double quotes \\ \" \$
/// \r \t are one character each. Without quotes a value ends with its line, or before ` #`. Nothing
/// is substituted in values: one with `${` outside of single quotes has a `problem`, which matters
/// only when the variable is used. All other lines are reported, without their content.
FileVariables ParseEnvFile(std::string_view text, const std::string& file, Problems& problems);

}  // namespace spillway::config
