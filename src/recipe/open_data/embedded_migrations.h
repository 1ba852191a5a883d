#pragma once

#include <string_view>
#include <vector>

namespace spillway::recipe::open_data {

/// The files of migrations/, in order; `@schema@` stands for the quoted schema.
const std::vector<std::string_view>& EmbeddedMigrations();

}  // namespace spillway::recipe::open_data
