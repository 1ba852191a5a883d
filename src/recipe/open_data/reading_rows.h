#pragma once

#include <map>
#include <memory>
#include <string>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "recipe/open_data/day_reader.h"

namespace spillway::recipe::open_data {

/// D4: location_id, sensors_id, location, datetime, lat, lon, parameter, units, value. Names that
/// the database does not have are null.
std::shared_ptr<arrow::Schema> ReadingSchema();

/// Turns what a DayReader reads into rows of ReadingSchema: adds what belongs to the location and
/// the sensor, and writes times as RFC 3339 with the offset of the location's zone, with a fraction
/// only where there is one. One thread at a time.
class ReadingRows {
 public:
  ReadingRows();
  ~ReadingRows();

  /// Row by row. kInvalidArgument names a time that cannot be written or a zone that this machine
  /// does not know.
  Result<std::shared_ptr<arrow::RecordBatch>> Dress(const arrow::RecordBatch& readings,
                                                    const std::vector<DaySource>& days,
                                                    const std::map<int64_t, Sensor>& sensors);

 private:
  struct LocalTime;

  Result<LocalTime*> TimeIn(const std::string& zone);

  std::map<std::string, std::unique_ptr<LocalTime>, std::less<>> times_;
};

}  // namespace spillway::recipe::open_data
