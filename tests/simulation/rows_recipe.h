#pragma once

#include "recipe/recipe.h"
#include "simulation/process.h"
#include "simulation/source.h"
#include "storage/lent.h"

namespace spillway::simulation {

/// Exports the rows of a Source's tasks, and suffers what goes wrong with them.
class RowsRecipe final : public recipe::Recipe {
 public:
  static constexpr std::string_view kName = "rows";

  RowsRecipe(Source& source, storage::ObjectStore& store, SimulatedProcess& process)
      : source_(source), store_(storage::Lent(store)), process_(process) {}

  static std::string DirectoryOf(std::string_view job_id) { return "out/" + std::string(job_id); }
  static int VersionOf(const engine::Job& job) {
    return job.plan.empty() ? 0 : std::stoi(job.plan);
  }

  std::string_view name() const override { return kName; }
  Result<recipe::CanonicalRequest> Canonicalise(const recipe::Request& request) const override;
  Result<recipe::Survey> Look(const std::string& /*export_name*/,
                              const recipe::CanonicalRequest& /*request*/,
                              std::stop_token /*stop*/) const override {
    return Fail(ErrorCode::kUnsupported, "nobody asks");
  }

  Result<recipe::Destination> DestinationOf(const engine::Job& job) const override;
  Result<recipe::Planned> MakePlan(const engine::Job& job, recipe::Planning& plan,
                                   std::stop_token stop) const override;
  Result<recipe::ChunkOutcome> Process(const engine::Job& job, const engine::Chunk& chunk,
                                       engine::Staging& staging, recipe::Progress& progress,
                                       std::stop_token stop) const override;
  Result<recipe::Assembly> Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                                    engine::Staging& staging, std::stop_token stop) const override;

 private:
  Source& source_;
  const std::shared_ptr<storage::ObjectStore> store_;
  SimulatedProcess& process_;
};

}  // namespace spillway::simulation
