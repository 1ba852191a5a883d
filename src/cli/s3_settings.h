#pragma once

#include "cli/settings.h"
#include "config/section.h"

namespace spillway::cli {

config::Section<S3Settings> DeclareS3();

}  // namespace spillway::cli
