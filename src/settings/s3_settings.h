#pragma once

#include "config/section.h"
#include "settings/settings.h"

namespace spillway {

config::Section<S3Settings> DeclareS3();

}  // namespace spillway
