#include "recipe/definition.h"

#include <algorithm>
#include <utility>

namespace spillway::recipe {

const Definition* FindDefinition(const Registry& registry, std::string_view name) {
  for (const auto& definition : registry) {
    if (definition->name() == name) return definition.get();
  }
  return nullptr;
}

std::string FormField::help() const {
  if (of_all) return field.help;
  std::string whose;
  for (const std::string& name : of) whose += (whose.empty() ? "of " : ", ") + name;
  return whose + ": " + field.help;
}

std::vector<FormField> FormFields(const Registry& registry) {
  std::vector<FormField> fields;
  for (const auto& definition : registry) {
    const auto standing = definition->standing();
    const std::string whose = standing ? standing->name : std::string(definition->name());
    for (request::Field& field : definition->form({}).fields) {
      const auto same = std::ranges::find_if(
          fields, [&](const FormField& other) { return other.field.name == field.name; });
      FormField& listed =
          same == fields.end() ? fields.emplace_back(FormField{.field = std::move(field)}) : *same;
      listed.of.push_back(whose);
      listed.field.required = false;
      listed.of_all = listed.of.size() == registry.size();
    }
  }
  return fields;
}

}  // namespace spillway::recipe
