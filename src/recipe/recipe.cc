#include "recipe/recipe.h"

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

}  // namespace spillway::recipe
