#include "recipe/recipe.h"

#include <algorithm>

namespace spillway::recipe {

Result<const Recipe*> Recipes::Find(std::string_view name) const {
  std::string known;
  for (const auto& recipe : recipes_) {
    if (recipe->name() == name) return recipe.get();
    if (!known.empty()) known += ", ";
    known += recipe->name();
  }
  return Fail(ErrorCode::kNotFound,
              "no recipe named \"" + std::string(name) + "\"; there are: " + known);
}

bool Recipes::AreNeeded() const {
  return std::ranges::any_of(recipes_, [](const auto& recipe) { return recipe->IsNeeded(); });
}

}  // namespace spillway::recipe
