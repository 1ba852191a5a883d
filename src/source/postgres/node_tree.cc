#include "source/postgres/node_tree.h"

#include <algorithm>
#include <charconv>

namespace spillway::postgres_source {
namespace {

/// The server's own limit on the depth of what it parses is far below (max_stack_depth).
constexpr int kDepthMax = 10'000;

std::unexpected<Error> Unreadable() {
  return Fail(ErrorCode::kUnsupported,
              "the server's parse tree of the query does not read as those of PostgreSQL do");
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { Advance(); }

  Result<Node> ParseAll() {
    Node node = TRY(ParseValue(0));
    if (!token_.empty()) return Unreadable();
    return node;
  }

 private:
  static bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t'; }
  static bool IsBracket(char c) { return c == '(' || c == ')' || c == '{' || c == '}'; }

  void Advance() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
    const size_t begin = at_;
    if (at_ < text_.size() && IsBracket(text_[at_])) {
      ++at_;
    } else {
      while (at_ < text_.size() && !IsSpace(text_[at_]) && !IsBracket(text_[at_]))
        at_ += text_[at_] == '\\' ? 2 : 1;
      at_ = std::min(at_, text_.size());
    }
    token_ = text_.substr(begin, at_ - begin);
  }

  static std::string Unescaped(std::string_view token) {
    std::string word;
    for (size_t i = 0; i < token.size(); ++i) {
      if (token[i] == '\\' && i + 1 < token.size()) ++i;
      word += token[i];
    }
    return word;
  }

  bool AtField() const { return token_.size() > 1 && token_.front() == ':'; }

  Result<Node> ParseValue(int depth) {
    if (depth > kDepthMax || token_.empty() || token_ == ")" || token_ == "}") return Unreadable();
    if (token_ == "{") return ParseNode(depth);
    Node value;
    if (token_ == "(") {
      Advance();
      while (token_ != ")") {
        Node item = TRY(ParseValue(depth + 1));
        value.items.push_back(std::move(item));
      }
    } else {
      value.word = Unescaped(token_);
    }
    Advance();
    return value;
  }

  Result<Node> ParseNode(int depth) {
    Node node;
    Advance();
    node.label = token_;
    Advance();
    while (token_ != "}") {
      if (!AtField()) return Unreadable();
      std::string name(token_.substr(1));
      Advance();
      Node value;
      // A word may itself begin with a colon; a field's value is never left out.
      do {
        Node part = TRY(ParseValue(depth + 1));
        if (value.items.empty() && value.word.empty() && value.label.empty()) {
          value = std::move(part);
        } else {
          value.items.push_back(std::move(part));
        }
      } while (token_ != "}" && !AtField());
      node.fields.push_back({.name = std::move(name), .value = std::move(value)});
    }
    Advance();
    return node;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string_view token_;
};

}  // namespace

const Node& Node::Field(std::string_view name) const {
  static const Node kNothing{.label = {}, .fields = {}, .items = {}, .word = "<>"};
  const auto found = std::ranges::find_if(fields, [&](const auto& f) { return f.name == name; });
  return found == fields.end() ? kNothing : found->value;
}

int64_t Node::number() const {
  int64_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

bool Node::Has(std::string_view name) const {
  const Node& value = Field(name);
  return !value.label.empty() || !value.items.empty() ||
         (!value.word.empty() && value.word != "<>");
}

Result<Node> ParseNodeTree(std::string_view text) { return Parser(text).ParseAll(); }

}  // namespace spillway::postgres_source
