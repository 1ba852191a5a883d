#pragma once

#include <string>

#include "config/outline.h"

namespace spillway::config {

/// Markdown tables of every setting, a section each: name, default, environment variable, meaning.
std::string MarkdownTables(const Outline& outline);

}  // namespace spillway::config
