#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "recipe/recipe.h"

namespace spillway::recipe::open_data {

/// A recipe whose database is not configured: what earlier jobs have left can be looked at,
/// verified, cancelled and removed, but nothing is read. All else fails with `why`.
class RecipeWithoutDatabase final : public Recipe {
 public:
  RecipeWithoutDatabase(std::unique_ptr<Recipe> recipe, Error why)
      : recipe_(std::move(recipe)), why_(std::move(why)) {}

  std::string_view name() const override { return recipe_->name(); }
  Result<Destination> DestinationOf(const engine::Job& job) const override {
    return recipe_->DestinationOf(job);
  }
  Result<CanonicalRequest> Canonicalise(const Request&) const override {
    return std::unexpected(why_);
  }
  Result<Survey> Look(const std::string&, const CanonicalRequest&, std::stop_token) const override {
    return std::unexpected(why_);
  }
  std::string_view counts() const override { return recipe_->counts(); }
  Result<Planned> MakePlan(const engine::Job&, Planning&, std::stop_token) const override {
    return std::unexpected(why_);
  }
  Result<ChunkOutcome> Process(const engine::Job&, const engine::Chunk&, engine::Staging&,
                               Progress&, std::stop_token) const override {
    return std::unexpected(why_);
  }
  Result<Assembly> Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                            engine::Staging& staging, std::stop_token stop) const override {
    return recipe_->Assemble(job, std::move(parts), staging, std::move(stop));
  }

 private:
  const std::unique_ptr<Recipe> recipe_;
  const Error why_;
};

}  // namespace spillway::recipe::open_data
