#include "cli/export_flags.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "storage/s3_url.h"

namespace spillway::cli {
namespace {

using Kind = request::Field::Kind;

constexpr std::string_view kStandardOutput = "-";

/// A place as jobs record it: absolute, since other processes work on them.
Result<std::string> PlaceOf(const std::string& flag, const std::string& text) {
  if (storage::IsUrl(text)) {
    const auto url = storage::ParseS3Url(text);
    if (url.has_value()) return text;
    return Fail(ErrorCode::kInvalidArgument, flag + " " + url.error().message);
  }
  std::error_code error;
  const auto directory = std::filesystem::absolute(text, error).lexically_normal();
  if (error) return std::unexpected(FromErrno(error.value(), text));
  return directory.string();
}

std::string HelpOf(const request::Field& field, const std::string& help) {
  switch (field.kind) {
    case Kind::kChoice:
      return help + ": " + request::ExpectationOf(field);
    case Kind::kSize:
      return help + " (64 MiB)";
    case Kind::kDuration:
      return help + " (14m)";
    case Kind::kValues:
      return help + ", each as name=value";
    case Kind::kPlace:
      return help + ", or - for standard output";
    default:
      return help;
  }
}

}  // namespace

void AddField(CLI::App& command, const request::Field& field, const std::string& help,
              request::Texts& texts) {
  std::string names = "--" + field.flag_name();
  if (field.letter != 0) names = std::string("-") + field.letter + "," + names;
  const std::string described = HelpOf(field, help);
  const auto many = [&texts, name = field.name](const std::vector<std::string>& given) {
    texts[name] = given;
  };
  switch (field.kind) {
    case Kind::kFlag:
      command.add_flag_callback(
          names, [&texts, name = field.name] { texts[name] = {}; }, described);
      break;
    case Kind::kColumns:
      command.add_option_function<std::vector<std::string>>(names, many, described)->delimiter(',');
      break;
    case Kind::kList:
    case Kind::kCounts:
      command.add_option_function<std::vector<std::string>>(names, many, described);
      break;
    case Kind::kValues:
      command.add_option_function<std::vector<std::string>>(names, many, described)
          ->take_all()
          ->allow_extra_args(false);
      break;
    default: {
      CLI::Option* option = command.add_option_function<std::string>(
          names,
          [&texts, name = field.name, bare = field.if_bare](const std::string& text) {
            texts[name] = {text.empty() && bare.has_value() ? *bare : text};
          },
          described);
      if (field.if_bare.has_value()) option->expected(0, 1);
    }
  }
}

NameField FlagsOf(const request::Form& form) {
  return [&form](const std::string& field) {
    const size_t dot = std::min(field.find('.'), field.size());
    const std::string name = field.substr(0, dot);
    const request::Field* known = form.Find(name);
    const request::Field unknown{.name = name};
    const std::string flag = "--" + (known == nullptr ? unknown : *known).flag_name();
    return dot == field.size() ? flag : flag + " " + field.substr(dot + 1);
  };
}

void ExportFlags::AddTo(CLI::App& command, const recipe::Registry& registry) {
  for (const auto& definition : registry) {
    if (export_name_.empty()) export_name_ = definition->default_export();
  }
  command.add_option("export", export_name_, "the name of an export")->capture_default_str();
  command.add_option("-o,--organisation", organisation_, "whose data is exported")
      ->check([](const std::string& text) {
        return text.empty() ? std::string("is empty; give it a value, or leave it out") : "";
      });
  for (recipe::FormField& each : recipe::FormFields(registry)) {
    AddField(command, each.field, each.help(), texts_);
    every_field_.fields.push_back(std::move(each.field));
  }
}

bool ExportFlags::to_standard_output() const {
  return std::ranges::any_of(every_field_.fields, [this](const request::Field& field) {
    const auto found = texts_.find(field.name);
    return field.kind == Kind::kPlace && found != texts_.end() &&
           found->second == std::vector<std::string>{std::string(kStandardOutput)};
  });
}

Result<recipe::Request> ExportFlags::ToRequest(const ConfiguredExport& exported,
                                               std::string_view standard_output) const {
  const request::Form form = exported.form();
  request::Texts texts = texts_;
  for (const request::Field& field : form.fields) {
    const auto found = texts.find(field.name);
    if (field.kind != Kind::kPlace || found == texts.end()) continue;
    for (std::string& text : found->second) {
      if (text == kStandardOutput) {
        text = standard_output;
      } else if (!text.empty()) {
        text = TRY(PlaceOf("--" + field.flag_name(), text));
      }
    }
  }
  return RequestOf(
      exported, texts,
      {.user = CurrentUser(), .organisation = organisation_, .role = request::Role::kOperator},
      {.at = SystemClock().Now()}, FlagsOf(every_field_));
}

std::string CurrentUser() {
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_name : "uid " + std::to_string(getuid());
}

}  // namespace spillway::cli
