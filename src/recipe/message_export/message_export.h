#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "lake/lake.h"
#include "lake/read/read_plan.h"
#include "lake/read/scan.h"
#include "recipe/message_export/parameters.h"
#include "recipe/recipe.h"
#include "recipe/resources.h"

namespace spillway::recipe {

/// Recipe M: one organisation's messages of a time range out of the lake, as CSV, JSON, NDJSON or
/// Parquet, plain, compressed or as a zip with a member a day. Rows are ordered by time.
class MessageExport final : public Recipe {
 public:
  static constexpr std::string_view kName = "message_export";

  /// `defaults` are by name of export; `resources` outlives the recipe.
  MessageExport(std::map<std::string, OutputOptions, std::less<>> defaults, lake::LakeSchema schema,
                Resources& resources)
      : defaults_(std::move(defaults)), schema_(std::move(schema)), resources_(resources) {}

  std::string_view name() const override { return kName; }
  bool reads_lake() const override { return true; }
  Result<CanonicalRequest> Canonicalise(const Request& request) const override;
  Result<Destination> DestinationOf(const engine::Job& job) const override;
  Result<Survey> Look(const std::string& export_name, const CanonicalRequest& request,
                      std::stop_token stop) const override;
  Result<Planned> MakePlan(const engine::Job& job, Planning& plan,
                           std::stop_token stop) const override;
  Result<ChunkOutcome> Process(const engine::Job& job, const engine::Chunk& chunk,
                               engine::Staging& staging, Progress& progress,
                               std::stop_token stop) const override;
  Result<Assembly> Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                            engine::Staging& staging, std::stop_token stop) const override;

 private:
  Result<lake::ReadPlan> Read(const MessageExportParameters& parameters,
                              std::stop_token stop) const;
  lake::Projection ProjectionOf(const OutputOptions& output) const;

  const std::map<std::string, OutputOptions, std::less<>> defaults_;
  const lake::LakeSchema schema_;
  Resources& resources_;
};

}  // namespace spillway::recipe
