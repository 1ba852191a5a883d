#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/nearest_name.h"

namespace spillway::recipe {

/// Reads the members of one JSON object of a request, and names those that nobody asked for. Errors
/// are kInvalidArgument.
class ObjectReader {
 public:
  ObjectReader(const nlohmann::json& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  /// What is absent stays as it is.
  template <class T>
  Result<> Read(const std::string& name, T& into) {
    names_.push_back(name);
    const auto found = object_.find(name);
    if (found == object_.end()) return {};
    try {
      found->get_to(into);
    } catch (const nlohmann::json::exception&) {
      return Fail(ErrorCode::kInvalidArgument,
                  where_ + name + ": a " + found->type_name() + " does not fit");
    }
    return {};
  }

  template <class Enum, class Parse>
  Result<> ReadName(const std::string& name, Enum& into, Parse parse) {
    std::string text;
    TRY(Read(name, text));
    if (!text.empty()) into = TRY(parse(text));
    return {};
  }

  /// The member if it is there, which must be an object.
  Result<const nlohmann::json*> Member(const std::string& name) {
    names_.push_back(name);
    const auto found = object_.find(name);
    if (found == object_.end()) return nullptr;
    if (!found->is_object())
      return Fail(ErrorCode::kInvalidArgument, where_ + name + ": must be an object");
    return &*found;
  }

  const nlohmann::json* Find(const std::string& name) {
    names_.push_back(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  Result<> RefuseOthers() const {
    for (const auto& [name, value] : object_.items()) {
      if (std::ranges::find(names_, name) != names_.end()) continue;
      const std::optional<std::string> nearest = NearestName(name, names_);
      return Fail(ErrorCode::kInvalidArgument,
                  "unknown parameter \"" + where_ + name + "\"" +
                      (nearest.has_value() ? "; did you mean \"" + *nearest + "\"?" : ""));
    }
    return {};
  }

 private:
  const nlohmann::json& object_;
  const std::string where_;
  std::vector<std::string> names_;
};

}  // namespace spillway::recipe
