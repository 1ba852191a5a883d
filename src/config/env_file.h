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

/// Reads lines of NAME=value, as python-dotenv does: blank lines and lines that begin with `#` say
/// nothing; `export ` may stand first; of two lines with one name the later counts; a name alone
/// gives nothing. A value may stand in quotes, then it may have line breaks: in single quotes all
/// is as it stands, in double quotes \\ \" \$ \n \r \t are one character each. Without quotes a
/// value ends with its line, or before ` #`. Nothing is replaced in values: one with `${` outside
/// of single quotes has a `problem`, which counts once somebody asks for it. Lines that are none of
/// this are reported, without what they hold.
FileVariables ParseEnvFile(std::string_view text, const std::string& file, Problems& problems);

}  // namespace spillway::config
