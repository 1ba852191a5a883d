#include "request/form.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/control_characters.h"
#include "base/nearest_name.h"
#include "base/utf8.h"
#include "config/problem.h"
#include "config/scalar.h"
#include "config/shape.h"
#include "request/time_range.h"

namespace spillway::request {
namespace {

using Json = nlohmann::json;
using Kind = Field::Kind;

/// A value, or the message of a Problem.
template <class T>
using Read = std::expected<T, std::string>;

Json::json_pointer PointerTo(std::string_view path) {
  std::string pointer = "/" + std::string(path);
  std::ranges::replace(pointer, '.', '/');
  return Json::json_pointer(pointer);
}

std::string Expected(const Field& field, std::string_view text) {
  return fmt::format("is {}; use {}", config::Quoted(std::string(text)), ExpectationOf(field));
}

Read<Json> ReadCount(const Field& field, const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < field.least ||
      value > field.most) {
    return std::unexpected(Expected(field, text));
  }
  return value;
}

Read<Json> ReadSize(const Field& field, const std::string& text) {
  const std::optional<config::ByteSize> size = config::ParseByteSize(text);
  if (!size || size->bytes < static_cast<uint64_t>(field.least) ||
      size->bytes > static_cast<uint64_t>(field.most))
    return std::unexpected(Expected(field, text));
  return static_cast<int64_t>(size->bytes);
}

Read<Json> ReadDuration(const Field& field, const std::string& text) {
  const std::optional<std::chrono::milliseconds> duration = config::ParseDuration(text);
  if (!duration || duration->count() < field.least || duration->count() > field.most)
    return std::unexpected(Expected(field, text));
  return duration->count();
}

Read<Json> ReadChoice(const Field& field, const std::string& text) {
  std::vector<std::string> names;
  for (const auto& [name, value] : field.choices) {
    if (name == text) return value;
    names.push_back(name);
  }
  std::string message = "is " + config::Quoted(text) + "; ";
  if (const auto nearest = NearestName(text, names))
    message += "did you mean " + *nearest + "? Use ";
  else
    message += "use ";
  return std::unexpected(message + ExpectationOf(field));
}

Json ReadColumn(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return text;
  return {{"source", text.substr(0, equals)}, {"name", text.substr(equals + 1)}};
}

Read<Json> ReadSingle(const Field& field, const std::string& text) {
  if (!IsUtf8(text)) return std::unexpected("is not UTF-8; give it as UTF-8");
  if (text.empty() && !field.may_be_empty)
    return std::unexpected("is empty; give it a value, or leave it out");
  switch (field.kind) {
    case Kind::kCount:
    case Kind::kCounts:
      return ReadCount(field, text);
    case Kind::kSize:
      return ReadSize(field, text);
    case Kind::kDuration:
      return ReadDuration(field, text);
    case Kind::kChoice:
      return ReadChoice(field, text);
    case Kind::kColumns:
      return ReadColumn(text);
    case Kind::kPlace:
      if (HasControlCharacter(text))
        return std::unexpected("has a control character, such as the end of a line; remove it");
      return text;
    default:
      return text;
  }
}

const char* NameOf(Role role) {
  return role == Role::kOperator ? "who runs this service" : "the organisation's administrators";
}

bool HasMany(Kind kind) {
  return kind == Kind::kList || kind == Kind::kCounts || kind == Kind::kColumns;
}

/// Puts together the parameters of one request, and what is wrong with it.
class Reading {
 public:
  Reading(const Form& form, const Asking& asking) : form_(form), asking_(asking) {}

  std::expected<std::string, Problems> All(const Texts& texts) {
    for (const auto& [name, given] : texts) {
      const Field* field = form_.Find(name);
      if (field == nullptr) {
        problems_.push_back({name, "is not for " + form_.of + "; leave it out"});
      } else if (field->set_by > asking_.role) {
        problems_.push_back(
            {name, std::string("is set by ") + NameOf(field->set_by) + "; leave it out"});
      } else {
        One(*field, given);
      }
    }
    for (const Field& field : form_.fields) {
      if (field.required && !texts.contains(field.name))
        problems_.push_back({field.name, "is missing; give " + ExpectationOf(field)});
      if (field.kind == Kind::kValues && field.names.has_value()) Complete(field);
    }
    if (form_.range_zone.has_value() && problems_.empty()) Range(texts);
    if (!problems_.empty()) return std::unexpected(std::move(problems_));
    return json_.dump();
  }

 private:
  void One(const Field& field, const std::vector<std::string>& texts) {
    if (field.kind == Kind::kFlag) {
      Flag(field, texts);
    } else if (field.kind == Kind::kValues) {
      for (const std::string& text : texts) Named(field, text);
    } else if (HasMany(field.kind)) {
      Json list = Json::array();
      for (const std::string& text : texts) {
        if (auto read = ReadSingle(field, text))
          list.push_back(*std::move(read));
        else
          problems_.push_back({field.name, read.error()});
      }
      json_[PointerTo(field.path())] = std::move(list);
    } else if (!texts.empty()) {
      if (auto read = ReadSingle(field, texts.back()))
        json_[PointerTo(field.path())] = *std::move(read);
      else
        problems_.push_back({field.name, read.error()});
    }
  }

  /// It is set by being there; a configuration says true or false.
  void Flag(const Field& field, const std::vector<std::string>& texts) {
    const std::string text = texts.empty() ? "true" : texts.back();
    if (text == "true" || text == "false") {
      json_[PointerTo(field.path())] = text == "true";
    } else {
      problems_.push_back({field.name, "is " + config::Quoted(text) + "; use true or false"});
    }
  }

  void Named(const Field& field, const std::string& text) {
    const size_t equals = text.find('=');
    if (!IsUtf8(text)) {
      problems_.push_back({field.name, "is not UTF-8; give it as UTF-8"});
      return;
    }
    if (equals == 0 || equals == std::string::npos) {
      problems_.push_back({field.name, "is " + config::Quoted(text) + "; use name=value"});
      return;
    }
    const std::string name = text.substr(0, equals);
    std::vector<std::string> known;
    for (const ValueName& each : field.names.value_or(std::vector<ValueName>()))
      known.push_back(each.name);
    if (field.names.has_value() && std::ranges::find(known, name) == known.end()) {
      const auto nearest = NearestName(name, known);
      problems_.push_back({field.name + "." + name,
                           fmt::format("is no parameter of this export; {}",
                                       nearest         ? "did you mean " + *nearest + "?"
                                       : known.empty() ? "it has none, so leave it out"
                                                       : "use " + config::Alternatives(known))});
      return;
    }
    Json& values = json_[PointerTo(field.path())];
    if (values.contains(name)) {
      problems_.push_back({field.name + "." + name, "is given twice; give it once"});
      return;
    }
    values[name] = text.substr(equals + 1);
  }

  /// Gives names that have a value of their own what it is, and misses the others.
  void Complete(const Field& field) {
    Json& values = json_[PointerTo(field.path())];
    if (values.is_null()) values = Json::object();
    for (const ValueName& each : *field.names) {
      if (values.contains(each.name)) continue;
      if (each.is_tick && asking_.tick.has_value()) {
        values[each.name] = FormatTimestamp(*asking_.tick);
      } else {
        problems_.push_back(
            {field.name, fmt::format("has no value for {}; give it one", each.name)});
      }
    }
  }

  void Range(const Texts& texts) {
    const auto given = [&](const char* name) -> std::optional<std::string> {
      const auto found = texts.find(name);
      if (found == texts.end() || found->second.empty()) return std::nullopt;
      return found->second.back();
    };
    const std::string zone = given("time_zone").value_or(*form_.range_zone);
    const auto range = ParseTimeRange({.from = given("from").value_or(""),
                                       .to = given("to"),
                                       .through = given("through"),
                                       .time_zone = zone,
                                       .now = asking_.at});
    if (!range.has_value()) {
      problems_.push_back(range.error());
      return;
    }
    json_.erase("through");
    json_["from"] = FormatTimestamp(range->begin);
    json_["to"] = FormatTimestamp(range->end);
    json_["time_zone"] = zone;
  }

  const Form& form_;
  const Asking& asking_;
  Json json_ = Json::object();
  Problems problems_;
};

}  // namespace

std::string Field::flag_name() const {
  if (!flag.empty()) return flag;
  std::string written = name;
  std::ranges::replace(written, '_', '-');
  return written;
}

const Field* Form::Find(std::string_view name) const {
  const auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

std::vector<Field> RangeFields() {
  return {
      {.name = "from",
       .help = "where the range begins, included: a day (2025-01-31, today, yesterday, today-7d, "
               "this-week, last-week, this-month, last-month, this-year, last-year), local time "
               "(2025-01-31T06:00) or instant (2025-01-31T05:00:00Z)",
       .required = true,
       .expectation = "the first day, such as yesterday"},
      {.name = "to", .help = "where the range ends, not included: the same, or now"},
      {.name = "through",
       .help = "in place of to: the day, week, month or year that is the last to be included"},
      {.name = "time_zone",
       .help = "IANA time zone of the range, of written times and of daily files",
       .letter = 'z'},
  };
}

std::expected<std::string, Problems> ParametersOf(const Form& form, const Texts& texts,
                                                  const Asking& asking) {
  return Reading(form, asking).All(texts);
}

std::optional<std::string> CheckName(const std::string& name) {
  if (!IsUtf8(name)) return "is not UTF-8; give it as UTF-8";
  if (!HasControlCharacter(name)) return std::nullopt;
  return "has a control character, such as the end of a line; give a name without";
}

std::optional<Problem> CheckOrganisation(const Form& form, const std::string& organisation) {
  using Organisation = Form::Organisation;
  const std::string field = "organisation";
  if (form.organisation == Organisation::kRequired && organisation.empty())
    return Problem{field, "is missing; say whose data it is, for " + form.of + " need it"};
  if (form.organisation == Organisation::kNone && !organisation.empty())
    return Problem{field, "is not for " + form.of + "; leave it out"};
  if (auto problem = CheckName(organisation)) return Problem{field, *std::move(problem)};
  return std::nullopt;
}

std::string ExpectationOf(const Field& field) {
  if (!field.expectation.empty()) return field.expectation;
  const auto bounded = [&](std::string what, const auto& format) {
    constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
    if (field.most != kNone)
      return fmt::format("{} from {} to {}", what, format(field.least), format(field.most));
    return fmt::format("{} of at least {}", what, format(field.least));
  };
  switch (field.kind) {
    case Kind::kCount:
      return bounded("a whole number", [](int64_t value) { return std::to_string(value); });
    case Kind::kCounts:
      return "whole numbers";
    case Kind::kSize:
      return "a size such as 64 MiB";
    case Kind::kDuration:
      if (field.most == std::numeric_limits<int64_t>::max()) return "a duration such as 14m";
      return bounded("a duration", [](int64_t value) {
        return config::FormatDuration(std::chrono::milliseconds(value));
      });
    case Kind::kChoice: {
      std::vector<std::string> names;
      for (const auto& [name, value] : field.choices) names.push_back(name);
      return config::Alternatives(names);
    }
    case Kind::kFlag:
      return "nothing: it is there or not";
    case Kind::kList:
      return "a list of texts";
    case Kind::kColumns:
      return "a list of columns, each name or source=name";
    case Kind::kValues:
      return "values by name";
    case Kind::kPlace:
      return "a directory, or s3://bucket/prefix";
    case Kind::kText:
      break;
  }
  return "a text";
}

}  // namespace spillway::request
