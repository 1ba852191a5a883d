#include "config/load.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/section.h"

namespace spillway::config {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

enum class Colour { kRed, kGreen };

struct Wheel {
  std::string name;
  int64_t spokes = 32;
  bool operator==(const Wheel&) const = default;
};

struct Brake {
  milliseconds delay{500};
  milliseconds limit{2000};
  bool operator==(const Brake&) const = default;
};

struct Bicycle {
  std::string owner = "nobody";
  std::optional<std::string> lock_code;
  std::filesystem::path manual = "manual.txt";
  Colour colour = Colour::kRed;
  bool bell = true;
  char initial = 'S';
  int gears = 3;
  ByteSize luggage{1 << 20};
  std::vector<std::string> stickers = {"fast"};
  std::vector<Wheel> wheels = {{.name = "front"}};
  std::map<std::string, std::string> labels;
  std::map<std::string, Brake> brakes = {{"rear", {}}};
  Brake drum;
  bool operator==(const Bicycle&) const = default;
};

Section<Brake> DeclareBrake() {
  Section<Brake> section;
  section.Field("delay", &Brake::delay).Help("Before it bites.").AtLeast(milliseconds(1));
  section.Field("limit", &Brake::limit).Help("The longest delay.");
  section.Rule([](const Brake& brake, Complaints& complaints) {
    if (brake.delay <= brake.limit) return;
    complaints.About("delay", "is longer than the limit; make it shorter", {"limit"});
  });
  return section;
}

Section<Bicycle> Declare() {
  Section<Wheel> wheel;
  wheel.Field("name", &Wheel::name).Help("What it is called.").Required();
  wheel.Field("spokes", &Wheel::spokes).Help("How many.").Between(8, 48);
  wheel.Shorthand("name");

  Section<Bicycle> section;
  section.Field("owner", &Bicycle::owner).Help("Who rides.").Essential();
  section.Field("lock_code", &Bicycle::lock_code)
      .Help("Of the lock.")
      .Secret()
      .Check([](const std::string& code) -> Complaint {
        if (code.size() == 4) return std::nullopt;
        return "is " + code + "; use four digits";
      });
  section.Field("manual", &Bicycle::manual).Help("To read.");
  section.Field("colour", &Bicycle::colour)
      .Help("Of the frame.")
      .OneOf({{"red", Colour::kRed}, {"green", Colour::kGreen}})
      .Variable("COLOUR");
  section.Field("bell", &Bicycle::bell).Help("Rings.");
  section.Field("initial", &Bicycle::initial).Help("Engraved.");
  section.Field("gears", &Bicycle::gears).Help("To choose from.").Between(1, 30);
  section.Field("luggage", &Bicycle::luggage).Help("It carries.");
  section.Field("stickers", &Bicycle::stickers).Help("On the frame.");
  section.Field("wheels", &Bicycle::wheels, std::move(wheel)).Help("It rolls on.");
  section.Field("labels", &Bicycle::labels).Help("Tied to it.");
  section.Field("brakes", &Bicycle::brakes, DeclareBrake()).Help("By place.");
  section.Field("drum", &Bicycle::drum, DeclareBrake()).Help("In the hub.");
  return section;
}

Sources File(std::string text) {
  return {.file = "b.yaml", .text = std::move(text), .directory = "/etc/bicycle"};
}

std::vector<std::string> ProblemsOf(const Sources& sources) {
  const auto loaded = Load(Declare(), sources);
  std::vector<std::string> lines;
  if (!loaded) {
    for (const Problem& problem : loaded.error()) lines.push_back(ToString(problem));
  }
  return lines;
}

std::vector<std::string> ProblemsOf(std::string text) { return ProblemsOf(File(std::move(text))); }

Bicycle Loaded(const Sources& sources) {
  auto loaded = Load(Declare(), sources);
  if (loaded) return *std::move(loaded);
  for (const Problem& problem : loaded.error()) ADD_FAILURE() << ToString(problem);
  return {};
}

Bicycle Loaded(std::string text) { return Loaded(File(std::move(text))); }

TEST(Load, AnEmptyFileHasTheDefaults) {
  Bicycle defaults;
  defaults.manual = "/etc/bicycle/manual.txt";
  for (const char* text : {"", "# nothing\n", "---\n", "drum:\nbrakes:\n  rear:\n"}) {
    EXPECT_EQ(Loaded(text), defaults) << text;
  }
}

TEST(Load, ReadsEveryKindOfValue) {
  const Bicycle bicycle = Loaded(R"(
owner: 4711
lock_code: "1234"
manual: ../doc/m.txt
colour: green
bell: false
initial: "\t"
gears: 21
luggage: 1.5 KiB
stickers: [a, "b c"]
wheels:
  - front
  - {name: rear, spokes: 36}
labels: {shop: "x: y", since: 1999}
brakes:
  front: {delay: 1s500ms}
  rim-2: {}
drum:
  limit: 1h
)");
  EXPECT_EQ(bicycle.owner, "4711");
  EXPECT_EQ(bicycle.lock_code, "1234");
  EXPECT_EQ(bicycle.manual, "/etc/doc/m.txt");
  EXPECT_EQ(bicycle.colour, Colour::kGreen);
  EXPECT_FALSE(bicycle.bell);
  EXPECT_EQ(bicycle.initial, '\t');
  EXPECT_EQ(bicycle.gears, 21);
  EXPECT_EQ(bicycle.luggage.bytes, 1536U);
  EXPECT_THAT(bicycle.stickers, ElementsAre("a", "b c"));
  EXPECT_THAT(bicycle.wheels, ElementsAre(Wheel{"front"}, Wheel{"rear", 36}));
  EXPECT_EQ(bicycle.labels.at("shop"), "x: y");
  EXPECT_EQ(bicycle.labels.at("since"), "1999");
  EXPECT_EQ(bicycle.brakes.size(), 2U);
  EXPECT_EQ(bicycle.brakes.at("front").delay, milliseconds(1500));
  EXPECT_EQ(bicycle.brakes.at("rim-2"), Brake{});
  EXPECT_EQ(bicycle.drum.limit, milliseconds(3'600'000));
}

TEST(Load, FiveMistakesAreFiveLines) {
  EXPECT_THAT(ProblemsOf("owner: Ann\n"
                         "gear: 21\n"
                         "bell: yes\n"
                         "colour: gren\n"
                         "wheels:\n"
                         "  - spokes: 36\n"
                         "drum: {delay: 500}\n"),
              ElementsAre("b.yaml:2:1: gear is not a setting; did you mean gears?",
                          "b.yaml:3:7: bell is \"yes\"; use true or false",
                          "b.yaml:4:9: colour is \"gren\"; did you mean green? Use red or green",
                          "b.yaml:6:5: wheels[0].name is missing; add it: a text",
                          "b.yaml:7:15: drum.delay is 500; use a duration of at least 1ms"));
}

TEST(Load, NamesWhatEachKindOfValueExpects) {
  EXPECT_THAT(ProblemsOf("gears: 31"),
              ElementsAre("b.yaml:1:8: gears is 31; use a whole number from 1 to 30"));
  EXPECT_THAT(ProblemsOf("gears: 99999999999999999999999"),
              ElementsAre(HasSubstr("use a whole number from 1 to 30")));
  EXPECT_THAT(
      ProblemsOf("gears: '21'"),
      ElementsAre("b.yaml:1:8: gears is \"21\"; use a whole number from 1 to 30, without quotes"));
  EXPECT_THAT(ProblemsOf("gears: [1]"),
              ElementsAre("b.yaml:1:8: gears is a list; use a whole number from 1 to 30"));
  EXPECT_THAT(ProblemsOf("owner: {a: b}"),
              ElementsAre("b.yaml:1:8: owner is a section; use a text"));
  EXPECT_THAT(
      ProblemsOf("owner:"),
      ElementsAre("b.yaml:1:1: owner has no value; use a text, or remove the line; a text such as "
                  "NULL or ~ needs quotes"));
  EXPECT_THAT(ProblemsOf("manual: ''"), ElementsAre("b.yaml:1:9: manual is \"\"; use a path"));
  EXPECT_THAT(ProblemsOf("initial: ä"), ElementsAre(HasSubstr("use one ASCII character")));
  EXPECT_THAT(ProblemsOf("luggage: 3 Mib"), ElementsAre(HasSubstr("use a size such as")));
  EXPECT_THAT(ProblemsOf("stickers: fast"),
              ElementsAre("b.yaml:1:11: stickers is a single value; use a list, each a text"));
  EXPECT_THAT(ProblemsOf("stickers:"), ElementsAre(HasSubstr("use a list, each a text, or []")));
  EXPECT_THAT(ProblemsOf("drum: soft"),
              ElementsAre("b.yaml:1:7: drum is a single value; use a section of delay or limit"));
  EXPECT_THAT(ProblemsOf("- a"),
              ElementsAre(HasSubstr("b.yaml:1:1: the file is a list; use a section of owner")));
  EXPECT_THAT(
      ProblemsOf("brakes: {'../x': {}}"),
      ElementsAre(HasSubstr("b.yaml:1:10: brakes has the name \"../x\"; use lower-case letters")));
  EXPECT_THAT(ProblemsOf("labels: {-x: y}"),
              ElementsAre(HasSubstr("labels has the name \"-x\"; use letters, digits, _ and -")));
  EXPECT_THAT(ProblemsOf("brakes: 7"), ElementsAre(HasSubstr("brakes is no section of names")));
}

TEST(Load, UnknownNamesWithoutANearOneListTheKnown) {
  EXPECT_THAT(
      ProblemsOf("drum:\n  purpose: x\n"),
      ElementsAre("b.yaml:2:3: drum.purpose is not a setting; remove it, or use delay or limit"));
}

TEST(Load, DuplicateKeysAreFound) {
  EXPECT_THAT(ProblemsOf("gears: 1\nbell: true\ngears: 2\n"),
              ElementsAre("b.yaml:3:1: \"gears\" is given twice, first in line 1; remove one"));
}

TEST(Load, RulesComplainWhereAValueIsGiven) {
  EXPECT_THAT(ProblemsOf("drum: {delay: 3s}"),
              ElementsAre("b.yaml:1:15: drum.delay is longer than the limit; make it shorter"));
  EXPECT_THAT(ProblemsOf("bell: true\ndrum:\n  limit: 1ms"),
              ElementsAre("b.yaml:3:10: drum.delay is longer than the limit; make it shorter"));
}

TEST(Load, ColumnsCountCharacters) {
  EXPECT_THAT(ProblemsOf("drum: {\"größe\": 1, limit: x}"),
              ElementsAre(HasSubstr("b.yaml:1:8: drum.\"größe\" is not a setting"),
                          HasSubstr("b.yaml:1:27: drum.limit is \"x\"")));
}

TEST(Load, SyntaxErrorsHaveAPlace) {
  EXPECT_THAT(ProblemsOf("owner: Ann\n\tgears: 2\n"),
              ElementsAre(testing::AllOf(HasSubstr("b.yaml:2:"),
                                         HasSubstr("indent with spaces, not tabs"))));
  for (const char* text :
       {"owner: 'Ann", "owner: 'Ann\n", "owner: \"Ann\n\n", "gears: 3\nowner: 'A\nB\n"}) {
    EXPECT_THAT(ProblemsOf(text), ElementsAre(HasSubstr("the file ends inside of quotes"))) << text;
  }
  EXPECT_THAT(ProblemsOf("owner: [a\ngears: 2\n"), ElementsAre(HasSubstr("not valid YAML: ")));
  EXPECT_THAT(ProblemsOf("owner: *nobody\n"),
              ElementsAre(HasSubstr("b.yaml:1:8: not valid YAML: ")));
  EXPECT_THAT(ProblemsOf("gears: 1\n---\ngears: 2\n"),
              ElementsAre("b.yaml:2:1: a second document begins; keep one and remove the rest"));
  EXPECT_THAT(ProblemsOf("owner: !include x.yaml\n"),
              ElementsAre("b.yaml:1:8: the tag \"!include\" means nothing here; remove it"));
  EXPECT_THAT(ProblemsOf("? [a]\n: b\n"), ElementsAre(HasSubstr("a key is no name")));
}

TEST(Load, BytesThatAreNoTextHaveAPlace) {
  EXPECT_THAT(ProblemsOf("bell: true\nowner: \xff\n"),
              ElementsAre("b.yaml:2:8: byte 0xff is not UTF-8; save the file in UTF-8"));
  EXPECT_THAT(ProblemsOf(std::string("owner: a\x04\ngears: x\n")),
              ElementsAre("b.yaml:1:9: control character U+0004; remove it"));
  EXPECT_THAT(ProblemsOf(std::string("owner: \0", 8)), ElementsAre(HasSubstr("U+0000")));
  EXPECT_THAT(
      ProblemsOf("owner: \"a\\_b\"\n"),
      ElementsAre(
          "b.yaml:1:8: the escapes \\N and \\_ do not work here; write \\u0085 and \\u00a0"));
}

TEST(Load, AnchorsAndMergesWork) {
  const Bicycle bicycle = Loaded(R"(
brakes:
  front: &strong {delay: 10ms, limit: 3s}
  rear: {<<: *strong, limit: 4s}
drum: *strong
)");
  EXPECT_EQ(bicycle.brakes.at("rear"), (Brake{milliseconds(10), milliseconds(4000)}));
  EXPECT_EQ(bicycle.drum, (Brake{milliseconds(10), milliseconds(3000)}));
  EXPECT_THAT(ProblemsOf("drum: {<<: 7}"), ElementsAre(HasSubstr("b.yaml:1:12: << merges no map")));
  EXPECT_THAT(ProblemsOf("drum: &d {<<: *d}"), ElementsAre(HasSubstr("an alias inside")));
}

TEST(Load, BombsAreRefused) {
  std::string text = "a0: &a0 [lol, lol]\n";
  for (int i = 1; i < 60; ++i) {
    text += fmt::format("a{0}: &a{0} [*a{1}, *a{1}]\n", i, i - 1);
  }
  text += "stickers: *a59\n";
  EXPECT_FALSE(ProblemsOf(text).empty());

  std::string merges = "a: &a {x0: 1}\nb: &b {";
  for (int i = 0; i < 1000; ++i) merges += "x" + std::to_string(i) + ": 1, ";
  merges += "z: 1}\nc: {<<: [";
  for (int i = 0; i < 10'000; ++i) merges += "*b,";
  EXPECT_THAT(ProblemsOf(merges + "*b]}\n"), ElementsAre(HasSubstr("more than 100,000 values")));

  EXPECT_THAT(ProblemsOf(std::string(100'000, '[')), ElementsAre(HasSubstr("not valid YAML")));
  EXPECT_THAT(ProblemsOf(std::string((1 << 20) + 1, '#')),
              ElementsAre(HasSubstr("longer than 1 MiB")));
}

TEST(Load, ManyProblemsEndWithAWord) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  const auto problems = ProblemsOf(text);
  ASSERT_EQ(problems.size(), 101U);
  EXPECT_THAT(problems.back(), HasSubstr("more problems follow"));
}

TEST(Load, VariablesFillTexts) {
  Sources sources = File("owner: '${FIRST} ${LAST}, $${LAST} $5'\nmanual: ${HOME_DIRECTORY}/m\n");
  sources.environment = {{"FIRST", "Ann"}, {"LAST", "Lee"}, {"HOME_DIRECTORY", "/home"}};
  const Bicycle bicycle = Loaded(sources);
  EXPECT_EQ(bicycle.owner, "Ann Lee, ${LAST} $5");
  EXPECT_EQ(bicycle.manual, "/home/m");
}

TEST(Load, VariablesThatAreNotSetAreNamed) {
  EXPECT_THAT(
      ProblemsOf("bell: true\nowner: ${NOBODY}\n"),
      ElementsAre("b.yaml:2:8: owner needs the environment variable NOBODY, which is not set; "
                  "set it, or write $${ for the text itself"));
  EXPECT_THAT(ProblemsOf("owner: ${\n"), ElementsAre(HasSubstr("names no variable")));
  EXPECT_THAT(ProblemsOf("owner: ${a b}\n"), ElementsAre(HasSubstr("names no variable")));
}

TEST(Load, TheEnvironmentOverridesTheFile) {
  Sources sources = File("gears: 7\nstickers: [a]\nowner: file\n");
  sources.environment = {{"SPILLWAY_GEARS", "9"},
                         {"SPILLWAY_STICKERS", "[x, y]"},
                         {"SPILLWAY_BRAKES_REAR_DELAY", "20ms"},
                         {"SPILLWAY_DRUM_LIMIT", "9s"},
                         {"SPILLWAY_OWNER", "${NOT} # as it is: "},
                         {"SPILLWAY_LOCK_CODE", ""},
                         {"SPILLWAY_LABELS", "{a: b}"},
                         {"COLOUR", "GREEN"},
                         {"GEARS", "11"}};
  const Bicycle bicycle = Loaded(sources);
  EXPECT_EQ(bicycle.gears, 9);
  EXPECT_THAT(bicycle.stickers, ElementsAre("x", "y"));
  EXPECT_EQ(bicycle.brakes.at("rear").delay, milliseconds(20));
  EXPECT_EQ(bicycle.drum.limit, milliseconds(9000));
  EXPECT_EQ(bicycle.owner, "${NOT} # as it is: ");
  EXPECT_EQ(bicycle.lock_code, std::nullopt);
  EXPECT_EQ(bicycle.labels.at("a"), "b");
  EXPECT_EQ(bicycle.colour, Colour::kGreen);
}

TEST(Load, ProblemsOfTheEnvironmentNameTheVariable) {
  Sources sources = File("bel: true\n");
  sources.environment = {{"SPILLWAY_GEARS", "many"},
                         {"SPILLWAY_GERAS", "3"},
                         {"SPILLWAY_DRUM_DELAY", "9s"},
                         {"SPILLWAY_STICKERS", "[x, {}]"},
                         {"SPILLWAY_SERVICE_HOST", "10.0.0.1"}};
  EXPECT_THAT(
      ProblemsOf(sources),
      ElementsAre("b.yaml:1:1: bel is not a setting; did you mean bell?",
                  "SPILLWAY_STICKERS:1:5: stickers[1] is a section; use a text",
                  "SPILLWAY_DRUM_DELAY: drum.delay is longer than the limit; make it shorter",
                  "SPILLWAY_GEARS: gears is \"many\"; use a whole number from 1 to 30",
                  "SPILLWAY_GERAS: is not a setting; did you mean SPILLWAY_GEARS?"));
}

TEST(Load, SecretsAreNeverShown) {
  const std::string secret = "hunter2";
  Sources sources = File("lock_code: hunter2\n");
  EXPECT_THAT(ProblemsOf(sources), ElementsAre("b.yaml:1:12: lock_code is not usable; use a text"));
  sources = File("lock_code: ${CODE}\ngears: 1\ncolour: red\nbrakes: {x: {}}\nmanual: m\n");
  sources.environment = {{"CODE", secret}};
  EXPECT_THAT(ProblemsOf(sources), Not(testing::Contains(HasSubstr(secret))));
  sources = File("lock_code: [hunter2]\n");
  EXPECT_THAT(ProblemsOf(sources), ElementsAre("b.yaml:1:12: lock_code is a list; use a text"));
  sources = File("");
  sources.environment = {{"SPILLWAY_LOCK_CODE", secret}};
  EXPECT_THAT(ProblemsOf(sources),
              ElementsAre("SPILLWAY_LOCK_CODE: lock_code is not usable; use a text"));
}

}  // namespace
}  // namespace spillway::config
