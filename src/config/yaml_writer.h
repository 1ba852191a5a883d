#pragma once

#include <string>

#include "config/outline.h"

namespace spillway::config {

/// A starting file: every setting at its value, with its help above it. Essential settings are set,
/// the others commented out ("#threads: 0", no space after the #). Reading the file as it is gives
/// the same as uncommenting them all.
std::string StartingFile(const Outline& outline, const std::string& heading);

/// The values without comments; those of secrets as "(secret)".
std::string EffectiveFile(const Outline& outline);

/// The value on one line ("[{name: ts, type: timestamp}]"), secrets as "(secret)".
std::string FlowYaml(const Outline& outline);

}  // namespace spillway::config
