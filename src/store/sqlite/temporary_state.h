#pragma once

#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include <stdlib.h>

#include "store/sqlite/database.h"

namespace spillway::store {

/// A folder for one test's state file; removed with everything in it. In memory where the machine
/// allows: thousands of synced commits would say more of its disk than of the store.
class TemporaryState {
 public:
  TemporaryState() {
    constexpr const char* kMemory = "/dev/shm";
    const bool in_memory = access(kMemory, W_OK) == 0;
    std::string folder =
        (in_memory ? std::filesystem::path(kMemory) : std::filesystem::temp_directory_path()) /
        "spillway-state-XXXXXX";
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
