#include "config/env_file.h"

#include <algorithm>
#include <utility>

namespace spillway::config {
namespace {

constexpr std::string_view kBlank = " \t";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

char Unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

class EnvFileParser {
 public:
  EnvFileParser(std::string_view text, const std::string& file, Problems& problems)
      : rest_(text), file_(file), problems_(problems) {
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  }

  FileVariables Parse() {
    for (; !rest_.empty(); TakeLine()) ParseAssignment();
    return std::move(variables_);
  }

 private:
  /// Takes a variable, up to the end of its line or before.
  void ParseAssignment() {
    SkipBlanks();
    if (AtEnd() || rest_.front() == '#') return;
    const int line = line_;
    std::string_view name = TakeName();
    if (name == "export" && !rest_.empty() && kBlank.contains(rest_.front())) {
      SkipBlanks();
      name = TakeName();
    }
    SkipBlanks();
    if (!name.empty() && (AtEnd() || rest_.front() == '#')) return;
    if (name.empty() || rest_.front() != '=') {
      return Report(line, "is no NAME=value; correct the line, or begin it with #");
    }
    rest_.remove_prefix(1);
    const bool blank = !rest_.empty() && kBlank.contains(rest_.front());
    SkipBlanks();
    FileVariable variable{
        .text = {}, .position = {.source = file_, .line = line, .column = 1}, .problem = {}};
    const bool quoted = !AtEnd() && (rest_.front() == '\'' || rest_.front() == '"');
    if (quoted && !TakeQuoted(variable)) return;
    if (!quoted && !(blank && rest_.starts_with('#'))) TakePlain(variable);
    if (variable.text.contains('\0')) return Report(line, "has a value with a zero byte");
    variables_.insert_or_assign(std::string(name), std::move(variable));
  }

  bool TakeQuoted(FileVariable& variable) {
    const std::string_view before = rest_;
    const int line = line_;
    const char quote = rest_.front();
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != quote) {
      if (quote == '"' && rest_.starts_with("${")) Refuse(variable);
      if (quote == '"' && rest_.size() > 1 && rest_.front() == '\\' &&
          std::string_view("\\\"$nrt").contains(rest_[1])) {
        variable.text += Unescaped(rest_[1]);
        rest_.remove_prefix(2);
        continue;
      }
      if (rest_.front() == '\n') ++line_;
      variable.text += rest_.front();
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) {
      rest_ = before;
      line_ = line;
      Report(line, "opens a quote that nothing closes");
      return false;
    }
    rest_.remove_prefix(1);
    SkipBlanks();
    if (AtEnd() || rest_.front() == '#') return true;
    Report(line_, "goes on after its closing quote; put the whole value in quotes");
    return false;
  }

  void TakePlain(FileVariable& variable) {
    std::string_view value = rest_.substr(0, rest_.find_first_of("\r\n"));
    for (size_t at = value.find('#'); at != std::string_view::npos; at = value.find('#', at + 1)) {
      if (at == 0 || !kBlank.contains(value[at - 1])) continue;
      value = value.substr(0, at);
      break;
    }
    value = value.substr(0, value.find_last_not_of(kBlank) + 1);
    if (value.contains("${")) Refuse(variable);
    variable.text = value;
  }

  static void Refuse(FileVariable& variable) {
    variable.problem =
        "has a ${, which is not replaced here; put the value in single quotes if it is meant as it "
        "stands, or write out what it stands for";
  }

  std::string_view TakeName() {
    const auto end = std::ranges::find_if_not(rest_, IsNameCharacter);
    const std::string_view name = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
    rest_.remove_prefix(name.size());
    return name;
  }

  void SkipBlanks() {
    while (!rest_.empty() && kBlank.contains(rest_.front())) rest_.remove_prefix(1);
  }

  bool AtEnd() const { return rest_.empty() || rest_.front() == '\n' || rest_.front() == '\r'; }

  void TakeLine() {
    const size_t end = rest_.find('\n');
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++line_;
  }

  void Report(int line, std::string message) {
    problems_.push_back({{.source = file_, .line = line, .column = 1}, std::move(message)});
  }

  std::string_view rest_;
  const std::string& file_;
  Problems& problems_;
  int line_ = 1;
  FileVariables variables_;
};

}  // namespace

FileVariables ParseEnvFile(std::string_view text, const std::string& file, Problems& problems) {
  return EnvFileParser(text, file, problems).Parse();
}

}  // namespace spillway::config
