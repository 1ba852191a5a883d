#pragma once

#include <memory>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "postgres/server_fixture.h"
#include "source/postgres/query_reader.h"

namespace spillway::postgres_source {

/// All of a SELECT, for tests.
inline std::shared_ptr<arrow::Table> ReadTable(QueryReader& reader, const std::string& select,
                                               const std::vector<Column>& columns) {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  const int64_t rows =
      postgres::Must(reader.Read(select, columns, [&](const arrow::RecordBatch& batch) -> Result<> {
        EXPECT_TRUE(batch.ValidateFull().ok()) << batch.ValidateFull().ToString();
        batches.push_back(batch.Slice(0));
        return {};
      }));
  auto table = arrow::Table::FromRecordBatches(SchemaOf(columns), batches).ValueOrDie();
  EXPECT_EQ(table->num_rows(), rows);
  return table;
}

/// A line a row, values split by |.
inline std::string RowsAsText(const arrow::Table& table) {
  std::string text;
  for (int64_t row = 0; row < table.num_rows(); ++row) {
    for (int i = 0; i < table.num_columns(); ++i)
      text += (i == 0 ? "" : "|") + table.column(i)->GetScalar(row).ValueOrDie()->ToString();
    text += "\n";
  }
  return text;
}

}  // namespace spillway::postgres_source
