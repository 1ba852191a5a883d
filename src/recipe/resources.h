#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "lake/lake_settings.h"
#include "lake/log/commit_log.h"
#include "source/postgres/database_settings.h"
#include "storage/object_store.h"

namespace spillway::recipe {

/// The parts of the configuration that recipes share.
struct SharedSettings {
  const lake::LakeSettings& lake;
  const std::map<std::string, postgres_source::DatabaseSettings>& databases;
};

/// What a deployment lends to its recipes. It outlives them. Thread-safe.
class Resources {
 public:
  struct Lake {
    std::shared_ptr<storage::ObjectStore> store;
    std::shared_ptr<lake::CommitLog> log;
  };

  virtual ~Resources() = default;

  virtual SharedSettings settings() const = 0;
  /// The store of a destination, for one attempt: a later one may be given another (ADR 26).
  virtual Result<std::shared_ptr<storage::ObjectStore>> Destination(
      std::string_view destination) = 0;
  /// The lake, which is opened when it is first asked for, and again for as long as it is empty: a
  /// disk may be mounted there later. kNotFound while there is none.
  virtual Result<Lake> OpenLake() = 0;
  /// Whether a job is final, or no longer known.
  virtual bool IsOver(std::string_view job_id) = 0;
  virtual Clock& clock() = 0;
  virtual Log& log() = 0;
};

}  // namespace spillway::recipe
