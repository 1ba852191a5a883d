#include "config/yaml.h"

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/utf8.h"

namespace spillway::config {
namespace {

constexpr size_t kTextBytesMax = 1 << 20;
constexpr size_t kValuesMax = 100'000;
constexpr size_t kProblemsMax = 100;
/// yaml-cpp 0.7 treats an open quote as closed when only a line break follows it before the end of
/// the file. With this comment after the file it sees that the quote is open.
constexpr std::string_view kEnd = "\n# end";

/// Translates offsets and the parser's marks, which count bytes, into lines and columns of
/// characters.
class Lines {
 public:
  Lines(std::string_view text, const std::string& source) : text_(text), source_(source) {
    starts_.push_back(0);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  Position At(const YAML::Mark& mark) {
    if (mark.is_null()) return {source_, 1, 1};
    if (static_cast<size_t>(mark.line) >= starts_.size()) return AtOffset(text_.size());
    return At(static_cast<size_t>(mark.line), static_cast<size_t>(mark.column));
  }

  Position AtOffset(size_t offset) {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    const size_t line = static_cast<size_t>(next - starts_.begin()) - 1;
    return At(line, offset - starts_[line]);
  }

  bool IndentedWithTab(const Position& position) const {
    const std::string_view line = Line(static_cast<size_t>(position.line) - 1);
    const size_t indent = line.find_first_not_of(" \t");
    return line.substr(0, indent).find('\t') != std::string_view::npos;
  }

 private:
  std::string_view Line(size_t line) const {
    if (line >= starts_.size()) return {};
    const size_t end = line + 1 < starts_.size() ? starts_[line + 1] - 1 : text_.size();
    return text_.substr(starts_[line], end - starts_[line]);
  }

  Position At(size_t line, size_t byte) {
    const std::string_view before = Line(line).substr(0, byte);
    // Marks come mostly in order, so a line with many values is counted only once.
    if (line != counted_line_ || before.size() < counted_bytes_) {
      counted_line_ = line;
      counted_bytes_ = characters_ = 0;
    }
    for (; counted_bytes_ < before.size(); ++counted_bytes_) {
      const bool continues = (static_cast<unsigned char>(before[counted_bytes_]) & 0xC0U) == 0x80U;
      characters_ += continues ? 0 : 1;
    }
    return {source_, static_cast<int>(line) + 1, static_cast<int>(characters_) + 1};
  }

  std::string_view text_;
  const std::string& source_;
  std::vector<size_t> starts_;
  size_t counted_line_ = 0;
  size_t counted_bytes_ = 0;
  size_t characters_ = 0;
};

/// What the parser would silently misread: it takes U+0004 for the end of the file.
std::optional<Problem> FindUnreadable(std::string_view text, Lines& lines) {
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = Utf8CharacterBytes(text.substr(i));
    if (bytes == 0) {
      return Problem{lines.AtOffset(i),
                     fmt::format("byte 0x{:02x} is not UTF-8; save the file in UTF-8",
                                 static_cast<unsigned char>(text[i]))};
    }
    const char c = text[i];
    if (c >= 0 && c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
      return Problem{lines.AtOffset(i), fmt::format("control character U+{:04X}; remove it",
                                                    static_cast<unsigned char>(c))};
    }
    i += bytes;
  }
  return std::nullopt;
}

/// Builds nodes from the parser's events.
class Builder final : public YAML::EventHandler {
 public:
  Builder(Lines& lines, Document& document, Problems& problems)
      : lines_(lines), document_(document), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = mark; }
  void OnDocumentEnd() override {}
  YAML::Mark start() const { return start_; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode& node = Add(YamlNode::Kind::kNull, mark, anchor);
    // For an empty value the parser gives the position of what comes next.
    if (!open_.empty() && open_.back().key != nullptr) node.position = open_.back().key->position;
    complete_.insert(&node);
    Place(node);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Count(mark);
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end() || !complete_.contains(found->second)) {
      throw YAML::ParserException(mark, "an alias inside of what it stands for");
    }
    Place(*found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode& node = Add(YamlNode::Kind::kScalar, mark, anchor);
    CheckTag(tag, node.position);
    node.style = tag == "!" || tag == "tag:yaml.org,2002:str" ? YamlNode::Style::kQuoted
                                                              : YamlNode::Style::kPlain;
    node.text = value;
    // yaml-cpp 0.7 turns these two into single bytes.
    if (!IsUtf8(value)) {
      Report(node.position, "the escapes \\N and \\_ do not work here; write \\u0085 and \\u00a0");
    }
    complete_.insert(&node);
    Place(node);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override {
    ApplyMerges(open_.back());
    Close();
  }

 private:
  /// A list or map whose end is still to come.
  struct Level {
    YamlNode* node;
    const YamlNode* key = nullptr;  ///< Read, its value not yet.
    std::unordered_map<std::string, Position> keys;
    std::vector<const YamlNode*> merged;
  };

  void Count(const YAML::Mark& mark) {
    if (++values_ > kValuesMax) throw YAML::ParserException(mark, "more than 100,000 values");
  }

  void Report(const Position& position, std::string message) {
    if (problems_.size() < kProblemsMax) problems_.push_back({position, std::move(message)});
  }

  void CheckTag(const std::string& tag, const Position& position) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    Report(position, fmt::format("the tag {} means nothing here; remove it", Quoted(tag)));
  }

  YamlNode& Add(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    Count(mark);
    YamlNode& node = document_.Add(kind, lines_.At(mark));
    if (anchor != YAML::NullAnchor) anchors_[anchor] = &node;
    return node;
  }

  void Open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    YamlNode& node = Add(kind, mark, anchor);
    CheckTag(tag, node.position);
    open_.push_back({.node = &node});
  }

  void Close() {
    YamlNode& node = *open_.back().node;
    complete_.insert(&node);
    open_.pop_back();
    Place(node);
  }

  /// Puts a complete node where it belongs: the document, a list, or a map's next key or value.
  void Place(const YamlNode& node) {
    if (open_.empty()) {
      document_.set_root(&node);
      return;
    }
    Level& level = open_.back();
    if (level.node->kind == YamlNode::Kind::kList) {
      level.node->items.push_back(&node);
    } else if (level.key == nullptr) {
      level.key = &node;
    } else {
      AddEntry(level, *std::exchange(level.key, nullptr), node);
    }
  }

  void AddEntry(Level& level, const YamlNode& key, const YamlNode& value) {
    if (key.kind != YamlNode::Kind::kScalar) {
      Report(key.position, "a key is no name; use a text before the colon");
    } else if (key.text == "<<" && key.style == YamlNode::Style::kPlain) {
      level.merged.push_back(&value);
    } else if (const auto [first, added] = level.keys.try_emplace(key.text, key.position); !added) {
      Report(key.position, fmt::format("{} is given twice, first in line {}; remove one",
                                       Quoted(key.text), first->second.line));
    } else {
      level.node->entries.push_back({key.text, key.position, &value});
    }
  }

  /// Keys of their own come before merged ones, earlier merged maps before later ones.
  void ApplyMerges(Level& level) {
    for (const YamlNode* merged : level.merged) {
      if (merged->kind == YamlNode::Kind::kMap) {
        Merge(level, *merged);
      } else if (merged->kind == YamlNode::Kind::kList) {
        for (const YamlNode* item : merged->items) Merge(level, *item);
      } else {
        Report(merged->position, "<< merges no map; give it an alias of one");
      }
    }
  }

  void Merge(Level& level, const YamlNode& merged) {
    if (merged.kind != YamlNode::Kind::kMap) {
      Report(merged.position, "<< merges no map; give it an alias of one");
    }
    for (const YamlNode::Entry& entry : merged.entries) {
      Count(YAML::Mark::null_mark());
      if (level.keys.try_emplace(entry.key, entry.key_position).second) {
        level.node->entries.push_back(entry);
      }
    }
  }

  Lines& lines_;
  Document& document_;
  Problems& problems_;
  YAML::Mark start_;
  size_t values_ = 0;
  std::vector<Level> open_;
  std::map<YAML::anchor_t, const YamlNode*> anchors_;
  std::unordered_set<const YamlNode*> complete_;
};

std::string SyntaxMessage(const YAML::Exception& error, const Position& position,
                          const Lines& lines) {
  if (error.msg == "illegal EOF in scalar") {
    return "not valid YAML: the file ends inside of quotes; close them where the text ends";
  }
  return fmt::format("not valid YAML: {}; {}", error.msg,
                     lines.IndentedWithTab(position)
                         ? "indent with spaces, not tabs"
                         : "check the indentation, colons, brackets and quotes up to here");
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : found->value;
}

YamlNode& Document::Add(YamlNode::Kind kind, Position position) {
  YamlNode& node = nodes_.emplace_back();
  node.kind = kind;
  node.position = std::move(position);
  return node;
}

Document ParseYaml(std::string_view text, const std::string& source, Problems& problems) {
  if (text.size() > kTextBytesMax) {
    problems.push_back({{source, 1, 1}, "longer than 1 MiB; this is no configuration"});
    return {};
  }
  Lines lines(text, source);
  if (auto unreadable = FindUnreadable(text, lines)) {
    problems.push_back(*std::move(unreadable));
    return {};
  }
  Document document;
  Builder builder(lines, document, problems);
  try {
    std::istringstream stream(std::string(text).append(kEnd));
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return document;
    Document second;
    Builder rest(lines, second, problems);
    if (parser.HandleNextDocument(rest)) {
      problems.push_back(
          {lines.At(rest.start()), "a second document begins; keep one and remove the rest"});
    }
    return document;
  } catch (const YAML::Exception& error) {
    const Position position = lines.At(error.mark);
    problems.push_back({position, SyntaxMessage(error, position, lines)});
    return {};
  }
}

}  // namespace spillway::config
