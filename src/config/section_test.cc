#include "config/section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/json_schema.h"
#include "config/load.h"
#include "config/markdown.h"
#include "config/yaml_writer.h"

namespace spillway::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Base {
  int64_t width = 1;
  bool operator==(const Base&) const = default;
};

struct Box : Base {
  std::string colour = "red";
  bool operator==(const Box&) const = default;
};

struct Bag {
  int64_t weight = 2;
  bool operator==(const Bag&) const = default;
};

struct Thing {
  std::string kind;
  std::string label = "none";
  AnyValue own;
  bool operator==(const Thing&) const = default;
};

struct All {
  std::map<std::string, Thing> things;
  std::map<std::string, AnyValue> by_name;
  std::map<std::string, std::vector<std::string>> texts;
  bool operator==(const All&) const = default;
};

Section<Box> DeclareBox() {
  Section<Base> base;
  base.Field("width", &Base::width).Between(0, 9);
  base.Rule([](const Base& value, Complaints& complaints) {
    if (value.width == 7) complaints.About("width", "is 7");
  });
  Section<Box> box;
  box.Field("colour", &Box::colour);
  box.Include(std::move(base));
  return box;
}

Section<Bag> DeclareBag() {
  Section<Bag> bag;
  bag.Field("weight", &Bag::weight).Help("How heavy.");
  return bag;
}

Section<All> Declare() {
  Section<Thing> thing;
  thing.Field("kind", &Thing::kind).OneOf({{"box", "box"}, {"bag", "bag"}});
  thing.Field("label", &Thing::label);
  thing.Choose("kind", &Thing::kind, &Thing::own,
               {{"box", std::make_shared<SectionOf<Box>>(DeclareBox())},
                {"bag", std::make_shared<SectionOf<Bag>>(DeclareBag())}});
  Section<All> all;
  all.Field("things", &All::things, std::move(thing));
  all.Field("bag", &All::by_name, std::make_shared<SectionOf<Bag>>(DeclareBag()), "A bag.");
  all.Texts("count", &All::texts, {.kind = Outline::Kind::kInteger, .nullable = true}, "");
  all.Texts("place", &All::texts, {.kind = Outline::Kind::kPath, .nullable = true}, "");
  Outline list{.kind = Outline::Kind::kList, .expectation = "a list"};
  list.element.push_back({});
  all.Texts("list", &All::texts, std::move(list), "");
  Outline map{.kind = Outline::Kind::kMap, .expectation = "values by name"};
  map.element.push_back({});
  all.Texts("map", &All::texts, std::move(map), "");
  return all;
}

std::expected<All, Problems> Loaded(const std::string& text, Environment environment = {}) {
  return Load(
      Declare(),
      {.file = "f", .text = text, .directory = "/etc", .environment = std::move(environment)});
}

std::vector<std::string> ProblemsOf(const std::string& text) {
  std::vector<std::string> lines;
  const auto loaded = Loaded(text);
  if (loaded.has_value()) return lines;
  for (const Problem& problem : loaded.error()) lines.push_back(ToString(problem));
  return lines;
}

TEST(Section, AChoiceHasItsFields) {
  const auto loaded = Loaded("things: {a: {colour: blue, width: 3}, b: {kind: bag, weight: 5}}");
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->things.at("a").kind, "box");
  EXPECT_EQ(loaded->things.at("a").own.As<Box>(), (Box{{.width = 3}, "blue"}));
  EXPECT_EQ(loaded->things.at("b").own.As<Bag>().weight, 5);
}

TEST(Section, FieldsOfAnotherChoiceAreToldAsSuch) {
  EXPECT_THAT(ProblemsOf("things: {a: {weight: 5, hue: 1}}"),
              ElementsAre("f:1:14: things.a.weight belongs to kind bag; set it",
                          HasSubstr("f:1:25: things.a.hue is not a setting")));
  EXPECT_THAT(ProblemsOf("things: {a: {kind: sack, weight: 5}}"),
              testing::Contains(HasSubstr("things.a.kind is \"sack\"")));
}

TEST(Section, RulesAndBoundsOfAChoiceAndOfABaseHold) {
  EXPECT_THAT(ProblemsOf("things: {a: {width: 10}}"), ElementsAre(HasSubstr("from 0 to 9")));
  EXPECT_THAT(ProblemsOf("things: {a: {width: 7}}"), ElementsAre("f:1:21: things.a.width is 7"));
}

TEST(Section, EnvironmentReachesTheFieldsOfAChoice) {
  const auto loaded = Loaded("things: {a: {kind: bag}}", {{"SPILLWAY_THINGS_A_WEIGHT", "8"}});
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->things.at("a").own.As<Bag>().weight, 8);
}

TEST(Section, TextsAreKeptAsTheyAre) {
  const auto loaded = Loaded("count: 010\nlist: [a, b=c]\nmap: {x: 1, y: ''}");
  ASSERT_TRUE(loaded.has_value());
  EXPECT_THAT(loaded->texts.at("count"), ElementsAre("010"));
  EXPECT_THAT(loaded->texts.at("list"), ElementsAre("a", "b=c"));
  EXPECT_THAT(loaded->texts.at("map"), ElementsAre("x=1", "y="));
  EXPECT_THAT(Loaded("place: out")->texts.at("place"), ElementsAre("/etc/out"));
  EXPECT_THAT(Loaded("place: s3://b")->texts.at("place"), ElementsAre("s3://b"));
  EXPECT_THAT(ProblemsOf("list: {a: b}"), ElementsAre(HasSubstr("list is not a list")));
  EXPECT_THAT(ProblemsOf("map: [a]"), ElementsAre(HasSubstr("map is not values by name")));
}

TEST(Section, WhatIsInForceReadsAsItself) {
  const auto loaded = Loaded(
      "things: {a: {colour: blue}, b: {kind: bag, weight: 5}}\nbag: {weight: 4}\n"
      "count: 3\nlist: [a, 'b=c']\nmap: {x: 'y=z'}");
  ASSERT_TRUE(loaded.has_value());
  const auto again = Loaded(EffectiveFile(Declare().Describe(*loaded)));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, *loaded);
  EXPECT_EQ(again->by_name.at("bag").As<Bag>().weight, 4);
}

TEST(Section, EveryChoiceIsDocumentedAndInTheSchema) {
  const Outline outline = Declare().Describe({});
  const std::string page = MarkdownTables(outline);
  EXPECT_THAT(page, HasSubstr("### `things.<name>`, where `kind` is `bag`"));
  EXPECT_THAT(page, HasSubstr("| `weight` | How heavy."));
  const std::string schema = JsonSchema(outline, "x");
  EXPECT_THAT(schema, HasSubstr("\"weight\""));
  EXPECT_THAT(schema, HasSubstr("\"colour\""));
}

TEST(AnyValue, WhatIsEmptyIsTheDefaults) {
  EXPECT_EQ(AnyValue(), AnyValue(Bag{}));
  EXPECT_EQ(AnyValue(Bag{}), AnyValue());
  EXPECT_NE(AnyValue(), AnyValue(Bag{.weight = 3}));
  EXPECT_NE(AnyValue(Box{}), AnyValue(Bag{}));
  EXPECT_EQ(AnyValue().As<Bag>(), Bag{});
}

}  // namespace
}  // namespace spillway::config
