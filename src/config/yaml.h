#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace spillway::config {

/// One value of a YAML document. Aliases are resolved and merge keys applied; nodes may be shared.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  /// How a scalar was written, which decides what types it can be read as.
  enum class Style {
    kPlain,
    kQuoted,    ///< In quotes, as a block, or tagged !!str: a text, never a number.
    kVerbatim,  ///< Not out of a file: nothing in it is substituted.
  };

  struct Entry {
    std::string key;
    Position key_position;
    const YamlNode* value = nullptr;
  };

  Kind kind = Kind::kNull;
  Style style = Style::kPlain;
  Position position;
  std::string text;                    ///< Of a scalar.
  std::vector<const YamlNode*> items;  ///< Of a list.
  std::vector<Entry> entries;          ///< Of a map; every key once.

  /// The value under `key`, or null.
  const YamlNode* Find(std::string_view key) const;
};

/// The nodes of one document. Movable; nodes keep their addresses.
class Document {
 public:
  /// Null where the document is empty.
  const YamlNode* root() const { return root_; }
  void set_root(const YamlNode* root) { root_ = root; }

  YamlNode& Add(YamlNode::Kind kind, Position position);
  size_t size() const { return nodes_.size(); }

 private:
  std::deque<YamlNode> nodes_;
  const YamlNode* root_ = nullptr;
};

/// Parses one YAML 1.2 document of at most 1 MiB and 100,000 values. Adds to `problems` why the
/// text is no document (the root is null then), and what a document must not have: duplicate keys,
/// keys that are no names, foreign tags. Positions name `source`.
Document ParseYaml(std::string_view text, const std::string& source, Problems& problems);

}  // namespace spillway::config
