#include "recipe/query_export/records.h"

#include <nlohmann/json.hpp>

#include "recipe/recipients.h"

namespace spillway::recipe {
namespace {

using Json = nlohmann::json;
using postgres_source::Column;

template <class Read>
auto Guarded(std::string_view text, Read read) -> Result<decltype(read(Json()))> {
  try {
    return read(Json::parse(text));
  } catch (const Json::out_of_range&) {
    // A member is not there. Its snapshot went with the process that wrote it.
    return Fail(ErrorCode::kConflict,
                "the export was planned by another version of Spillway, whose plans this one does "
                "not read; run the export again");
  } catch (const Json::exception& broken) {
    return Fail(ErrorCode::kCorrupt,
                std::string("a query export's record does not read: ") + broken.what());
  }
}

Result<std::string> ToText(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    return Fail(ErrorCode::kInvalidArgument,
                "a column's name, or a value of split_by, is not UTF-8, in a database whose "
                "encoding SQL_ASCII says nothing of it; write a query that says what it is, "
                "convert_from(convert_to(name, 'SQL_ASCII'), 'LATIN1') AS name, or split by "
                "another column");
  }
}

}  // namespace

Result<std::string> ToJson(const QuerySource& source) {
  Json columns = Json::array();
  for (const Column& column : source.columns) {
    columns.push_back({{"name", column.name},
                       {"type", column.type_name},
                       {"oid", column.type},
                       {"modifier", column.modifier},
                       {"enum", column.is_enum}});
  }
  Json json = {
      {"database", source.database}, {"server", source.server},
      {"snapshot", source.snapshot}, {"from", source.from},
      {"list", source.list},         {"columns", std::move(columns)},
      {"tables", source.tables},     {"split_by", source.split_by},
      {"instant", source.instant},   {"one_session", source.one_session},
      {"settings", source.settings}, {"row_security", source.row_security ? "allow" : "refuse"},
      {"policies", source.policies}, {"policies_unseen_in", source.policies_unseen_in},
      {"key", source.key},           {"key_hash", source.key_hash},
      {"rows", source.rows},         {"splits", source.splits}};
  if (!source.concealed.empty()) json[kConcealed] = source.concealed;
  return ToText(json);
}

Result<QuerySource> QuerySourceFromJson(std::string_view text) {
  return Guarded(text, [](const Json& json) {
    QuerySource source{.database = json.at("database"),
                       .server = json.at("server"),
                       .snapshot = json.at("snapshot"),
                       .from = json.at("from"),
                       .list = json.at("list"),
                       .columns = {},
                       .tables = json.at("tables"),
                       .split_by = json.at("split_by"),
                       .instant = json.at("instant"),
                       .one_session = json.at("one_session"),
                       .settings = json.at("settings"),
                       .row_security = json.at("row_security") == "allow",
                       .policies = json.at("policies"),
                       .policies_unseen_in = json.at("policies_unseen_in"),
                       .key = json.at("key"),
                       .key_hash = json.at("key_hash"),
                       .rows = json.at("rows"),
                       .splits = json.at("splits"),
                       .concealed = json.value(kConcealed, std::vector<std::string>())};
    for (const Json& column : json.at("columns")) {
      source.columns.push_back(postgres_source::ColumnOf(column.at("name"), column.at("oid"),
                                                         column.at("modifier"), column.at("type"),
                                                         column.at("enum")));
    }
    return source;
  });
}

Result<std::string> ToJson(const QueryChunk& chunk) {
  Json runs = Json::array();
  for (const FileRun& run : chunk.runs)
    runs.push_back(
        {{"file", run.file}, {"first", run.first}, {"last", run.last}, {"rows", run.rows}});
  return ToText(Json{{"condition", chunk.condition},
                     {"rows", chunk.rows},
                     {"keys", chunk.keys},
                     {"cut_off", chunk.cut_off},
                     {"runs", std::move(runs)}});
}

Result<QueryChunk> QueryChunkFromJson(std::string_view text) {
  return Guarded(text, [](const Json& json) {
    QueryChunk chunk{.condition = json.at("condition"),
                     .rows = json.at("rows"),
                     .keys = json.at("keys"),
                     .cut_off = json.at("cut_off"),
                     .runs = {}};
    for (const Json& run : json.at("runs")) {
      chunk.runs.push_back({.file = run.at("file"),
                            .first = run.at("first"),
                            .last = run.at("last"),
                            .rows = run.at("rows")});
    }
    return chunk;
  });
}

}  // namespace spillway::recipe
