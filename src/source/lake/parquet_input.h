#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <arrow/io/interfaces.h>

#include "base/error.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// An object of a store as Arrow's Parquet reader wants it. Used by one thread.
class ParquetInput final : public arrow::io::RandomAccessFile {
 public:
  struct Run {
    int64_t offset = 0;
    int64_t bytes = 0;
  };

  explicit ParquetInput(std::unique_ptr<storage::ObjectReader> reader);
  ~ParquetInput() override;

  /// Reads a run at once; reads inside it then cost nothing, until the next Load.
  arrow::Status Load(Run run);

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
  std::unique_ptr<storage::ObjectReader> reader_;
  std::optional<Error> error_;
  Run loaded_;
  std::shared_ptr<arrow::Buffer> loaded_bytes_;
  int64_t position_ = 0;
  bool closed_ = false;
};

}  // namespace spillway::lake
