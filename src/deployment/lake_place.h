#pragma once

#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "deployment/stores.h"
#include "lake/lake.h"
#include "lake/lake_settings.h"
#include "lake/log/commit_log.h"
#include "storage/object_store.h"

namespace spillway {

/// The configured lake.
class LakePlace {
 public:
  /// `stores` and `clock` outlive it. Readers take Missing::kFails: kNotFound (retryable, since
  /// perhaps a disk is not mounted) then says how a lake is made.
  static Result<std::unique_ptr<LakePlace>> Open(const lake::LakeSettings& settings, Stores& stores,
                                                 Clock& clock, Stores::Missing missing);

  storage::ObjectStore& store() { return *store_; }
  lake::CommitLog& log() { return log_; }
  const lake::LakeSchema& schema() const { return schema_; }

 private:
  LakePlace(std::unique_ptr<storage::ObjectStore> store, Clock& clock, lake::LakeSchema schema)
      : store_(std::move(store)), log_(*store_, clock), schema_(std::move(schema)) {}

  const std::unique_ptr<storage::ObjectStore> store_;
  lake::CommitLog log_;
  const lake::LakeSchema schema_;
};

}  // namespace spillway
