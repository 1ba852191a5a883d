#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace spillway::postgres_source {

struct NodeField;

/// A value in what PostgreSQL's nodeToString() writes (src/backend/nodes/outfuncs.c, and
/// pg_strtok() in read.c for how it is cut into tokens): a node `{LABEL :field value …}`, a list
/// `(item …)`, or a word. A field of several words, as a constant's bytes, has them as items.
struct Node {
  std::string label;              ///< Of a node, "QUERY"; else empty.
  std::vector<NodeField> fields;  ///< Of a node.
  std::vector<Node> items;        ///< Of a list.
  std::string word;               ///< Of a word; "<>" is nothing.

  /// The field of that name, or a node that is nothing.
  const Node& Field(std::string_view name) const;
  bool Is(std::string_view name, std::string_view value) const { return Field(name).word == value; }
  /// Of a word that is a number; 0 for what is none.
  int64_t number() const;
  int64_t Number(std::string_view name) const { return Field(name).number(); }
  /// Neither `<>` nor absent nor an empty list.
  bool Has(std::string_view name) const;
};

struct NodeField {
  std::string name;
  Node value;
};

/// kUnsupported for what is no such text.
Result<Node> ParseNodeTree(std::string_view text);

}  // namespace spillway::postgres_source
