#include "config/json_schema.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "config/scalar.h"

namespace spillway::config {
namespace {

using Json = nlohmann::ordered_json;

Json ScalarValueOf(const Outline& outline, const std::optional<std::string>& text) {
  if (!text) return nullptr;
  if (outline.kind == Outline::Kind::kBoolean) return *text == "true";
  if (outline.kind == Outline::Kind::kInteger) {
    if (const auto number = Scalar<int64_t>::Parse(*text)) return *number;
    return *Scalar<uint64_t>::Parse(*text);
  }
  return *text;
}

Json ValueOf(const Outline& outline) {
  if (outline.kind == Outline::Kind::kSection) {
    Json object = Json::object();
    for (const OutlineField& field : outline.fields) {
      if (!field.secret) object[field.name] = ValueOf(field.outline);
    }
    return object;
  }
  if (outline.kind == Outline::Kind::kList) {
    Json list = Json::array();
    for (const Outline& item : outline.items) list.push_back(ValueOf(item));
    return list;
  }
  if (outline.kind == Outline::Kind::kMap) {
    Json map = Json::object();
    for (const OutlineEntry& entry : outline.entries) map[entry.key] = ValueOf(entry.outline);
    return map;
  }
  return ScalarValueOf(outline, outline.value);
}

Json SchemaOf(const Outline& outline);

/// YAML's numbers and booleans are read as the texts that they are written as.
Json TextSchema() { return {{"type", {"string", "number", "boolean"}}}; }

Json SectionSchema(const Outline& outline) {
  Json schema = {{"type", "object"}, {"additionalProperties", false}};
  Json properties = Json::object();
  Json required = Json::array();
  const auto add = [&](const OutlineField& field) {
    Json property = {{"description", field.help}};
    property.update(SchemaOf(field.outline));
    const bool has_value =
        !field.outline.IsScalar() || field.outline.value.has_value() || field.outline.nullable;
    if (!field.required && !field.secret && has_value &&
        field.outline.kind != Outline::Kind::kSection)
      property["default"] = ValueOf(field.outline);
    properties[field.name] = std::move(property);
  };
  for (const OutlineField& field : outline.fields) {
    add(field);
    if (field.required) required.push_back(field.name);
  }
  // Which of them go with which choice, `config check` tells.
  for (const OutlineOption& option : outline.options) {
    for (const OutlineField& field : option.fields) {
      if (!properties.contains(field.name)) add(field);
    }
  }
  schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = std::move(required);
  if (outline.shorthand.empty()) {
    // A section that is named, but has nothing in it, is null in YAML.
    schema["type"] = {"object", "null"};
    return schema;
  }
  return {{"anyOf", {TextSchema(), std::move(schema)}}};
}

Json ScalarSchema(const Outline& outline) {
  switch (outline.kind) {
    case Outline::Kind::kCharacter:
      return {{"type", "string"}, {"minLength", 1}, {"maxLength", 1}};
    case Outline::Kind::kBoolean:
      return {{"type", "boolean"}};
    case Outline::Kind::kInteger: {
      Json schema = {{"type", "integer"}};
      if (outline.least) schema["minimum"] = ScalarValueOf(outline, outline.least);
      if (outline.most) schema["maximum"] = ScalarValueOf(outline, outline.most);
      return schema;
    }
    case Outline::Kind::kDuration:
      return {{"type", "string"},
              {"pattern", "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"}};
    case Outline::Kind::kSize:
      return {
          {"type", {"integer", "string"}},
          {"minimum", 0},
          {"pattern", "^([0-9]+ *([kMGT]?B|[KMGT]iB)?|[0-9]+\\.[0-9]{1,9} *([kMGT]B|[KMGT]iB))$"}};
    case Outline::Kind::kChoice:
      return {{"type", "string"}, {"enum", outline.choices}};
    default:
      return TextSchema();
  }
}

Json SchemaOf(const Outline& outline) {
  if (outline.kind == Outline::Kind::kSection) return SectionSchema(outline);
  if (outline.kind == Outline::Kind::kList) {
    return {{"type", "array"}, {"items", SchemaOf(outline.element.front())}};
  }
  if (outline.kind == Outline::Kind::kMap) {
    const bool single = outline.element.front().kind != Outline::Kind::kSection;
    return {{"type", "object"},
            {"propertyNames",
             {{"pattern",
               single ? "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$" : "^[a-z0-9][a-z0-9_-]{0,63}$"}}},
            {"additionalProperties", SchemaOf(outline.element.front())}};
  }
  Json schema = ScalarSchema(outline);
  if (outline.nullable) return {{"anyOf", {std::move(schema), {{"type", "null"}}}}};
  return schema;
}

}  // namespace

std::string JsonSchema(const Outline& outline, const std::string& title) {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
  schema.update(SchemaOf(outline));
  return schema.dump(2) + "\n";
}

}  // namespace spillway::config
