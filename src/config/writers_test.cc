// What is written from a declaration: starting file, values in force, JSON Schema, tables.
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "config/json_schema.h"
#include "config/load.h"
#include "config/markdown.h"
#include "config/section.h"
#include "config/yaml_writer.h"

namespace spillway::config {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Account {
  std::string user = "nobody";
  std::string password = "hunter2";
  bool operator==(const Account&) const = default;
};

struct Mail {
  std::optional<std::string> relay_key;
  std::string greeting = "Yes: \"${NAME}\"\n#1";
  int port = 25;
  std::vector<std::string> hosts = {"a b", "no"};
  std::vector<Account> accounts;
  std::map<std::string, std::string> keys;
  Account admin;
  bool operator==(const Mail&) const = default;
};

Section<Account> DeclareAccount() {
  Section<Account> section;
  section.Field("user", &Account::user).Help("Who.");
  section.Field("password", &Account::password).Help("Known to nobody.").Secret();
  return section;
}

Section<Mail> Declare() {
  Section<Mail> section;
  section.Field("relay_key", &Mail::relay_key).Help("Lets us send.").Secret();
  section.Field("greeting", &Mail::greeting).Help("The first line | and the only one.").Essential();
  section.Field("port", &Mail::port).Help("To connect to.").Between(1, 65'535);
  section.Field("hosts", &Mail::hosts).Help("To connect to.");
  section.Field("accounts", &Mail::accounts, DeclareAccount()).Help("Who may send.");
  section.Field("keys", &Mail::keys).Help("By name.").Secret();
  section.Field("admin", &Mail::admin, DeclareAccount()).Help("Who may do all.");
  return section;
}

Mail WithSecrets() {
  Mail mail;
  mail.relay_key = "hunter2";
  mail.accounts = {{"ann", "hunter2"}};
  mail.keys = {{"one", "hunter2"}};
  return mail;
}

Mail Loaded(const std::string& text) {
  const auto loaded = Load(Declare(), {.file = "m.yaml", .text = text});
  if (loaded) return *loaded;
  for (const Problem& problem : loaded.error()) ADD_FAILURE() << ToString(problem) << "\n" << text;
  return {};
}

TEST(Writers, NothingWrittenHasASecret) {
  const Outline outline = Declare().Describe(WithSecrets());
  for (const std::string& text :
       {StartingFile(outline, "# Mail\n"), EffectiveFile(outline), FlowYaml(outline),
        JsonSchema(outline, "Mail"), MarkdownTables(outline)}) {
    EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  }
  EXPECT_THAT(EffectiveFile(outline), HasSubstr("relay_key: \"(secret)\"\n"));
  EXPECT_THAT(EffectiveFile(Declare().Describe({})), HasSubstr("relay_key: null\n"));
}

TEST(Writers, TextsThatYamlWouldReadOtherwiseAreQuoted) {
  const std::string text = EffectiveFile(Declare().Describe({}));
  EXPECT_THAT(text, HasSubstr("greeting: \"Yes: \\\"$${NAME}\\\"\\n#1\"\n"));
  EXPECT_THAT(text, HasSubstr("hosts:\n  - \"a b\"\n  - \"no\"\n"));
}

TEST(Writers, ValuesInForceReadAsThemselves) {
  Mail mail;
  mail.admin.password = "(secret)";
  mail.port = 2525;
  EXPECT_EQ(Loaded(EffectiveFile(Declare().Describe(mail))), mail);
}

TEST(Writers, StartingFilesReadAsTheDefaults) {
  const std::string text = StartingFile(Declare().Describe({}), "# Mail\n");
  EXPECT_EQ(Loaded(text), Mail{});
  EXPECT_THAT(text, HasSubstr("# To connect to. Use a whole number from 1 to 65535.\n#port: 25\n"));
  EXPECT_THAT(text, HasSubstr("  #password: \"${PASSWORD}\"\n"));
  EXPECT_THAT(text, HasSubstr("#relay_key: \"${RELAY_KEY}\"\n"));
  EXPECT_THAT(text, HasSubstr("#hosts: [\"a b\", \"no\"]\n"));
}

TEST(Writers, SchemasNameTypesAndBounds) {
  const auto schema = nlohmann::json::parse(JsonSchema(Declare().Describe({}), "Mail"));
  EXPECT_EQ(schema["title"], "Mail");
  EXPECT_EQ(schema["properties"]["port"]["maximum"], 65'535);
  EXPECT_EQ(schema["properties"]["relay_key"]["anyOf"][1]["type"], "null");
  // A number or a boolean without quotes is read as the text that it is written as.
  const auto text = nlohmann::json::parse(R"(["string", "number", "boolean"])");
  EXPECT_EQ(schema["properties"]["hosts"]["items"]["type"], text);
  EXPECT_EQ(schema["properties"]["keys"]["additionalProperties"]["type"], text);
  EXPECT_FALSE(schema["properties"]["admin"]["properties"]["password"].contains("default"));
}

TEST(Writers, TablesHaveARowForEveryField) {
  const std::string tables = MarkdownTables(Declare().Describe({}));
  EXPECT_THAT(tables,
              HasSubstr("| `port` | To connect to. | a whole number from 1 to 65535 | `25` | "
                        "`SPILLWAY_PORT` |\n"));
  EXPECT_THAT(tables, HasSubstr("| `greeting` | The first line \\| and the only one. |"));
  EXPECT_THAT(tables, HasSubstr("## `admin`\n\nWho may do all.\n"));
  EXPECT_THAT(
      tables,
      HasSubstr("| `password` | Known to nobody. | a text | secret | `SPILLWAY_ADMIN_PASSWORD` |"));
  EXPECT_THAT(tables, HasSubstr("## `accounts[]`\n"));
  EXPECT_THAT(tables, HasSubstr("| `user` | Who. | a text | `nobody` |  |\n"));
}

}  // namespace
}  // namespace spillway::config
