#include "lake/ingest/parquet_input.h"

#include <algorithm>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/result.h>
#include <arrow/status.h>

namespace spillway::lake {

std::optional<Error> ParquetInput::TakeError() { return std::exchange(error_, std::nullopt); }

arrow::Result<int64_t> ParquetInput::GetSize() { return static_cast<int64_t>(reader_.size()); }

arrow::Result<int64_t> ParquetInput::ReadAt(int64_t position, int64_t bytes, void* out) {
  if (position < 0 || bytes < 0)
    return arrow::Status::Invalid("a read of negative place or length");
  auto read = reader_.ReadAt(static_cast<uint64_t>(position),
                             {static_cast<std::byte*>(out), static_cast<size_t>(bytes)});
  if (!read.has_value()) {
    error_ = std::move(read).error();
    return arrow::Status::IOError(error_->message);
  }
  return static_cast<int64_t>(*read);
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ParquetInput::ReadAt(int64_t position,
                                                                   int64_t bytes) {
  // A wrong length in the file must not make us allocate that much memory.
  const int64_t there = static_cast<int64_t>(reader_.size()) - position;
  bytes = std::clamp<int64_t>(bytes, 0, std::max<int64_t>(there, 0));
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(bytes));
  ARROW_ASSIGN_OR_RAISE(int64_t read, ReadAt(position, bytes, buffer->mutable_data()));
  ARROW_RETURN_NOT_OK(buffer->Resize(read, false));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

arrow::Result<int64_t> ParquetInput::Read(int64_t bytes, void* out) {
  ARROW_ASSIGN_OR_RAISE(int64_t read, ReadAt(position_, bytes, out));
  position_ += read;
  return read;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ParquetInput::Read(int64_t bytes) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, bytes));
  position_ += buffer->size();
  return buffer;
}

arrow::Status ParquetInput::Seek(int64_t position) {
  position_ = position;
  return arrow::Status::OK();
}

arrow::Result<int64_t> ParquetInput::Tell() const { return position_; }

arrow::Status ParquetInput::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

bool ParquetInput::closed() const { return closed_; }

}  // namespace spillway::lake
