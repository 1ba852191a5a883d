#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "lake/lake.h"
#include "lake/log/commit_log.h"
#include "lake/read/read_plan.h"
#include "lake/read/scan.h"
#include "recipe/message_export/parameters.h"
#include "recipe/recipe.h"
#include "storage/object_store.h"

namespace spillway::recipe {

/// Recipe M: one organisation's messages of a time range out of the lake, as CSV, JSON, NDJSON or
/// Parquet, plain, compressed or as a zip with a member a day. Rows are ordered by time.
class MessageExport final : public Recipe {
 public:
  static constexpr std::string_view kName = "message_export";

  /// Finds the store for a destination: a directory or "-".
  using Destinations = std::function<Result<storage::ObjectStore*>(std::string_view destination)>;

  /// Where messages are read; lives as long as the recipe.
  struct Lake {
    storage::ObjectStore* store = nullptr;
    lake::CommitLog* log = nullptr;
  };

  /// Opens the lake when an export needs it, so that programs without one need none.
  using OpenLake = std::function<Result<Lake>()>;

  /// `defaults` are by name of export.
  MessageExport(OpenLake lake, lake::LakeSchema schema,
                std::map<std::string, OutputOptions, std::less<>> defaults,
                Destinations destinations)
      : lake_(std::move(lake)),
        schema_(std::move(schema)),
        defaults_(std::move(defaults)),
        destinations_(std::move(destinations)) {}

  std::string_view name() const override { return kName; }
  Result<CanonicalRequest> Canonicalise(const Request& request) const override;
  Result<Destination> DestinationOf(const engine::Job& job) const override;
  Result<Planned> MakePlan(const engine::Job& job, Planning& plan,
                           std::stop_token stop) const override;
  Result<ChunkOutcome> Process(const engine::Job& job, const engine::Chunk& chunk,
                               engine::Staging& staging, Progress& progress,
                               std::stop_token stop) const override;
  Result<Assembly> Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                            engine::Staging& staging, std::stop_token stop) const override;

  /// What an export with these canonical parameters would read (`spillway plan`).
  Result<lake::ReadPlan> PlanOnly(std::string_view canonical_parameters,
                                  std::stop_token stop) const;

 private:
  Result<lake::ReadPlan> Read(const MessageExportParameters& parameters,
                              std::stop_token stop) const;
  lake::Projection ProjectionOf(const OutputOptions& output) const;

  const OpenLake lake_;
  const lake::LakeSchema schema_;
  const std::map<std::string, OutputOptions, std::less<>> defaults_;
  const Destinations destinations_;
};

}  // namespace spillway::recipe
