#include <memory>
#include <utility>

#include <arrow/api.h>

#include "format/column_names.h"
#include "format/format.h"
#include "format/row/row_encoder.h"

namespace spillway::format {
namespace {

class JsonFormat final : public Format {
 public:
  JsonFormat(JsonOptions options, Zone zone)
      : options_(std::move(options)), zone_(std::make_shared<const Zone>(std::move(zone))) {}

  std::string_view extension() const override { return options_.lines ? ".ndjson" : ".json"; }
  bool joinable() const override { return true; }

  Result<std::unique_ptr<Encoder>> NewEncoder(const arrow::Schema& schema,
                                              Position position) const override {
    if (schema.num_fields() == 0)
      return Fail(ErrorCode::kInvalidArgument, "a JSON file needs at least one column");
    TRY(CheckColumnNames(schema, "JSON"));
    RowLayout<JsonDialect> layout;
    if (!options_.lines) {
      layout.opening = "[\n";
      layout.closing = "\n]\n";
      layout.separator_bytes = 2;
      layout.needs_first_row = true;
      layout.dialect.row_end_bytes = 1;
    }
    std::vector<ColumnBinder> binders;
    for (const auto& field : schema.fields()) {
      const std::string& name = field->name();
      layout.prefixes.push_back(PrefixFor(name, layout.dialect, binders.empty()));
      binders.push_back(TRY(ColumnBinder::Make(*field, static_cast<uint32_t>(binders.size()),
                                               *zone_, QuotedValues::kTimes)));
    }
    return std::make_unique<RowEncoder<JsonDialect>>(std::move(layout), std::move(binders),
                                                     schema.field_names(), zone_, position);
  }

 private:
  // `,"name":`. The first opens the object, in an array after the separator from the previous one.
  std::string PrefixFor(const std::string& name, const JsonDialect& dialect, bool first) const {
    std::string prefix = first ? (options_.lines ? "{" : ",\n{") : ",";
    std::string key(name.size() * JsonDialect::kGrowth + JsonDialect::kAround, '\0');
    prefix.append(key.data(), dialect.WriteCarefully(name.data(), name.size(), key.data()));
    return prefix + ":";
  }

  JsonOptions options_;
  std::shared_ptr<const Zone> zone_;
};

}  // namespace

Result<std::unique_ptr<Format>> NewJsonFormat(JsonOptions options) {
  Zone zone = TRY(Zone::Find(options.time_zone));
  return std::make_unique<JsonFormat>(std::move(options), std::move(zone));
}

}  // namespace spillway::format
