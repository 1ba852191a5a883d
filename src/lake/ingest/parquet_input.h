#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <arrow/io/interfaces.h>

#include "base/error.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// An object of a store as Arrow's Parquet reader wants it for a file's footer. Used by one thread.
class ParquetInput final : public arrow::io::RandomAccessFile {
 public:
  explicit ParquetInput(storage::ObjectReader& reader) : reader_(reader) {}

  /// What the store answered when a read failed.
  std::optional<Error> TakeError();

  arrow::Result<int64_t> GetSize() override;
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t bytes) override;
  arrow::Result<int64_t> Read(int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t bytes) override;
  arrow::Status Seek(int64_t position) override;
  arrow::Result<int64_t> Tell() const override;
  arrow::Status Close() override;
  bool closed() const override;

 private:
  storage::ObjectReader& reader_;
  std::optional<Error> error_;
  int64_t position_ = 0;
  bool closed_ = false;
};

}  // namespace spillway::lake
