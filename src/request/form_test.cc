#include "request/form.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace spillway::request {
namespace {

using Json = nlohmann::json;
using Kind = Field::Kind;
using testing::ElementsAre;

const Timestamp kNoon(std::chrono::sys_days(std::chrono::January / 31 / 2025) +
                      std::chrono::hours(12));

Form Everything() {
  return {.of = "tests",
          .fields = {
              {.name = "text"},
              {.name = "needed", .required = true},
              {.name = "rows", .kind = Kind::kCount, .member = "limits.rows", .most = 9},
              {.name = "bytes", .kind = Kind::kSize, .member = "limits.bytes"},
              {.name = "within", .kind = Kind::kDuration},
              {.name = "end", .kind = Kind::kChoice, .choices = {{"crlf", "\r\n"}, {"lf", "\n"}}},
              {.name = "all", .kind = Kind::kFlag},
              {.name = "numbers", .kind = Kind::kCounts},
              {.name = "columns", .kind = Kind::kColumns},
              {.name = "null", .may_be_empty = true},
              {.name = "place", .kind = Kind::kPlace, .set_by = Role::kOperator},
              {.name = "values",
               .kind = Kind::kValues,
               .names = std::vector<ValueName>{{.name = "tick", .is_tick = true}}}}};
}

/// The parameters, or the problems, a line each.
std::string Parsed(const Form& form, const Texts& texts, const Asking& asking) {
  const auto parameters = ParametersOf(form, texts, asking);
  if (parameters.has_value()) return *parameters;
  std::string lines;
  for (const Problem& problem : parameters.error())
    lines += problem.field + " " + problem.message + "\n";
  return lines;
}

TEST(Form, TextsBecomeParameters) {
  const std::string parsed = Parsed(Everything(),
                                    {{"text", {"ä"}},
                                     {"needed", {"x"}},
                                     {"rows", {"7"}},
                                     {"bytes", {"2 KiB"}},
                                     {"within", {"14m"}},
                                     {"end", {"lf"}},
                                     {"all", {}},
                                     {"numbers", {"3", "4"}},
                                     {"columns", {"a", "b=c=d"}},
                                     {"null", {""}},
                                     {"place", {"/x"}}},
                                    {.role = Role::kOperator, .at = kNoon, .tick = kNoon});
  EXPECT_EQ(Json::parse(parsed), Json({{"text", "ä"},
                                       {"needed", "x"},
                                       {"limits", {{"rows", 7}, {"bytes", 2048}}},
                                       {"within", 840'000},
                                       {"end", "\n"},
                                       {"all", true},
                                       {"numbers", {3, 4}},
                                       {"columns", {"a", {{"source", "b"}, {"name", "c=d"}}}},
                                       {"null", ""},
                                       {"place", "/x"},
                                       {"values", {{"tick", "2025-01-31T12:00:00.000000Z"}}}}));
}

TEST(Form, EverythingThatIsWrongIsTold) {
  EXPECT_EQ(Parsed(Everything(),
                   {{"text", {""}},
                    {"rows", {"10"}},
                    {"bytes", {"many"}},
                    {"within", {"soon"}},
                    {"end", {"crl"}},
                    {"numbers", {"3", "x"}},
                    {"txet", {"y"}},
                    {"null", {"\xff"}},
                    {"values", {"tock=1", "alone", "tick=1", "tick=2"}}},
                   {.role = Role::kOperator, .at = kNoon, .tick = std::nullopt}),
            "bytes is \"many\"; use a size such as 64 MiB\n"
            "end is \"crl\"; did you mean crlf? Use crlf or lf\n"
            "null is not UTF-8; give it as UTF-8\n"
            "numbers is \"x\"; use whole numbers\n"
            "rows is \"10\"; use a whole number from 0 to 9\n"
            "text is empty; give it a value, or leave it out\n"
            "txet is not for tests; leave it out\n"
            "values.tock is no parameter of this export; did you mean tick?\n"
            "values is \"alone\"; use name=value\n"
            "values.tick is given twice; give it once\n"
            "within is \"soon\"; use a duration such as 14m\n"
            "needed is missing; give a text\n");
}

TEST(Form, NobodySetsWhatIsForOthersToSet) {
  Form form = {.of = "tests",
               .fields = {{.name = "place", .set_by = Role::kOperator},
                          {.name = "limit", .set_by = Role::kAdministrator},
                          {.name = "format"}}};
  const auto parsed_as = [&](Role role, const char* field) {
    return ParametersOf(form, {{field, {"x"}}}, {.role = role, .at = kNoon, .tick = {}})
        .has_value();
  };
  const auto allowed = [&](Role role) {
    return std::vector{parsed_as(role, "place"), parsed_as(role, "limit"),
                       parsed_as(role, "format")};
  };
  EXPECT_THAT(allowed(Role::kOperator), ElementsAre(true, true, true));
  EXPECT_THAT(allowed(Role::kAdministrator), ElementsAre(false, true, true));
  EXPECT_THAT(allowed(Role::kUser), ElementsAre(false, false, true));
}

TEST(Form, ARangeBecomesInstants) {
  const Form form = {.of = "tests", .range_zone = "Europe/Vienna", .fields = RangeFields()};
  const auto parsed = [&](const Texts& texts) {
    return Parsed(form, texts, {.role = Role::kOperator, .at = kNoon, .tick = std::nullopt});
  };
  EXPECT_EQ(Json::parse(parsed({{"from", {"yesterday"}}, {"through", {"today"}}})),
            Json({{"from", "2025-01-29T23:00:00.000000Z"},
                  {"to", "2025-01-31T23:00:00.000000Z"},
                  {"time_zone", "Europe/Vienna"}}));
  EXPECT_EQ(
      Json::parse(parsed({{"from", {"today"}}, {"to", {"now"}}, {"time_zone", {"UTC"}}}))["from"],
      "2025-01-31T00:00:00.000000Z");
  EXPECT_EQ(parsed({{"through", {"today"}}}),
            "from is missing; give the first day, such as yesterday\n");
  EXPECT_EQ(parsed({{"from", {"today"}}}),
            "to is missing; give to (exclusive), or through (a last day)\n");
  EXPECT_EQ(parsed({{"from", {"2025-02-30"}}, {"to", {"now"}}}),
            "from \"2025-02-30\" is no day of the calendar; that month ends on 2025-02-28\n");
}

TEST(Form, AFlagSaysTrueOrFalseWhereItHasAText) {
  const Form form = {.of = "tests", .fields = {{.name = "all", .kind = Kind::kFlag}}};
  const auto parsed = [&](std::vector<std::string> texts) {
    return Parsed(form, {{"all", std::move(texts)}}, {.at = kNoon, .tick = std::nullopt});
  };
  EXPECT_EQ(parsed({}), R"({"all":true})");
  EXPECT_EQ(parsed({"true"}), R"({"all":true})");
  EXPECT_EQ(parsed({"false"}), R"({"all":false})");
  EXPECT_EQ(parsed({"maybe"}), "all is \"maybe\"; use true or false\n");
}

TEST(Form, AnOrganisationIsGivenWhereOneIsNeeded) {
  using Organisation = Form::Organisation;
  const auto problem = [](Organisation asked, const std::string& given) {
    const auto found = CheckOrganisation({.of = "tests", .organisation = asked}, given);
    return found.has_value() ? found->field + " " + found->message : "";
  };
  EXPECT_EQ(problem(Organisation::kRequired, "acme"), "");
  EXPECT_EQ(problem(Organisation::kOptional, ""), "");
  EXPECT_EQ(problem(Organisation::kNone, ""), "");
  EXPECT_EQ(problem(Organisation::kRequired, ""),
            "organisation is missing; say whose data it is, for tests need it");
  EXPECT_EQ(problem(Organisation::kNone, "acme"), "organisation is not for tests; leave it out");
  EXPECT_EQ(problem(Organisation::kOptional, "a\nb"),
            "organisation has a control character, such as the end of a line; give a name without");
}

TEST(Form, FlagsAreNamedAfterFields) {
  EXPECT_EQ(Field{.name = "rows_per_file"}.flag_name(), "rows-per-file");
  EXPECT_EQ((Field{.name = "parameters", .flag = "param"}).flag_name(), "param");
}

}  // namespace
}  // namespace spillway::request
