#include "deployment/lake_place.h"

#include <utility>

#include <arrow/api.h>

#include "batch/column_type.h"
#include "storage/s3_url.h"

namespace spillway {

Result<lake::LakeSchema> SchemaOf(const LakeSettings& settings) {
  arrow::FieldVector fields;
  for (const ColumnSettings& column : settings.columns) {
    const bool nullable = column.name != settings.time;
    fields.push_back(arrow::field(column.name, TRY(batch::ParseColumnType(column.type)), nullable));
  }
  return lake::LakeSchema{.columns = arrow::schema(std::move(fields)),
                          .organisation_field = settings.organisation,
                          .time_column = settings.time};
}

Result<std::unique_ptr<LakePlace>> LakePlace::Open(const LakeSettings& settings, Stores& stores,
                                                   Clock& clock, Stores::Missing missing) {
  const std::string place = settings.directory.string();
  if (missing == Stores::Missing::kFails && !storage::IsUrl(place) && !IsThere(place)) {
    return Fail(ErrorCode::kNotFound,
                "there is no lake at " + place +
                    "; `spillway ingest` makes it, or set lake.directory to where it is");
  }
  lake::LakeSchema schema = TRY(SchemaOf(settings));
  std::unique_ptr<storage::ObjectStore> store = TRY(stores.Open(place, missing));
  return std::unique_ptr<LakePlace>(new LakePlace(std::move(store), clock, std::move(schema)));
}

}  // namespace spillway
