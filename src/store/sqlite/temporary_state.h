#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "store/sqlite/database.h"

namespace spillway::store {

/// A folder for one test's state file; removed with everything in it.
class TemporaryState {
 public:
  TemporaryState() {
    std::string folder = std::filesystem::temp_directory_path() / "spillway-state-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("cannot make " + folder);
    folder_ = folder;
  }
  ~TemporaryState() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TemporaryState(const TemporaryState&) = delete;
  TemporaryState& operator=(const TemporaryState&) = delete;

  std::filesystem::path folder() const { return folder_; }
  std::filesystem::path path() const { return folder_ / "state.db"; }

 private:
  std::filesystem::path folder_;
};

}  // namespace spillway::store
