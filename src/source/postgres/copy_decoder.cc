#include "source/postgres/copy_decoder.h"

#include <utility>

#include <arrow/api.h>
#include <fmt/format.h>

#include "source/postgres/wire.h"

namespace spillway::postgres_source {
namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
constexpr size_t kHeader = 19;  ///< Signature, flags, length of the extension.
constexpr uint32_t kCriticalFlags = 0xFFFF0000;
constexpr int32_t kExtensionMax = 1 << 20;
constexpr int16_t kTrailer = -1;

}  // namespace

CopyDecoder::CopyDecoder(std::vector<Column> columns, DecodeOptions options, Consume consume)
    : columns_(std::move(columns)),
      options_(options),
      consume_(std::move(consume)),
      schema_(SchemaOf(columns_)) {
  buffers_.reserve(columns_.size());
  for (const Column& column : columns_) buffers_.emplace_back(column);
}

std::unexpected<Error> CopyDecoder::Corrupt(std::string_view what) const {
  return Fail(ErrorCode::kCorrupt,
              fmt::format("the server's COPY data is damaged at row {}: {}", rows() + 1, what));
}

std::unexpected<Error> CopyDecoder::Refuse(size_t column, Problem problem, size_t bytes) const {
  const std::string& name = columns_[column].name;
  const std::string& type_name = columns_[column].type_name;
  const std::string arrow_type = columns_[column].arrow_type->ToString();
  const std::string where = fmt::format("column \"{}\", row {}", name, rows() + 1);
  const Encoding encoding = columns_[column].encoding;
  const std::string quoted = '"' + name + '"';
  const auto refuse = [&](std::string_view what, const std::string& null_instead = "") {
    const std::string null =
        null_instead.empty() ? "" : fmt::format("{} to have null, or ", null_instead);
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: {}; leave such rows out, or write in a query {}{}::text to have text",
                    where, what, null, quoted));
  };
  switch (problem) {
    case Problem::kNan:
      return refuse(fmt::format("NaN has no place in {}", arrow_type),
                    fmt::format("nullif({}, 'NaN')", quoted));
    case Problem::kInfinity:
      return refuse(fmt::format("infinity has no place in {}", arrow_type),
                    arrow::is_decimal(columns_[column].arrow_type->id())
                        ? fmt::format("nullif(nullif({}, 'Infinity'), '-Infinity')", quoted)
                        : fmt::format("CASE WHEN isfinite({0}) THEN {0} END", quoted));
    case Problem::kRange:
      if (encoding == Encoding::kTime) {
        return refuse(fmt::format("24:00:00 has no place in {}", arrow_type),
                      fmt::format("nullif({}, '24:00')", quoted));
      }
      return refuse(fmt::format("a {} that {} cannot hold", type_name, arrow_type));
    case Problem::kLength:
      return Corrupt(
          fmt::format("column \"{}\" has {} bytes, which no {} has", name, bytes, type_name));
    default:
      return Corrupt(fmt::format("column \"{}\" is no {}", name, type_name));
  }
}

Result<> CopyDecoder::Append(std::string_view bytes) {
  if (pending_.empty()) {
    const size_t taken = TRY(Decode(bytes));
    pending_.assign(bytes.substr(taken));
    return {};
  }
  pending_.append(bytes);
  if (pending_.size() < needed_) return {};
  const size_t taken = TRY(Decode(pending_));
  pending_.erase(0, taken);
  return {};
}

Result<size_t> CopyDecoder::Decode(std::string_view bytes) {
  size_t taken = 0;
  if (!header_read_) {
    taken = TRY(DecodeHeader(bytes));
    if (taken == 0) return taken;
    header_read_ = true;
  }
  while (taken < bytes.size()) {
    if (ended_) return Corrupt("there are bytes after its end");
    if (!begun_) {
      for (ColumnBuffer& buffer : buffers_) TRY(buffer.Begin(options_.rows_per_batch));
      begun_ = true;
    }
    const size_t row = TRY(DecodeRow(bytes.substr(taken)));
    if (row == 0) break;
    taken += row;
    if (row_ == options_.rows_per_batch) TRY(HandOut());
  }
  return taken;
}

Result<size_t> CopyDecoder::DecodeHeader(std::string_view bytes) {
  if (!kSignature.starts_with(bytes.substr(0, kSignature.size())))
    return Corrupt("it does not begin as COPY's binary format does");
  if (bytes.size() < kHeader) return CutOff(kHeader);
  const auto flags = LoadBigEndian<uint32_t>(bytes.data() + kSignature.size());
  if ((flags & kCriticalFlags) != 0)
    return Fail(ErrorCode::kUnsupported, "the server's COPY data is of a version not known here");
  const auto extension = LoadBigEndian<int32_t>(bytes.data() + kSignature.size() + 4);
  if (extension < 0 || extension > kExtensionMax) return Corrupt("its header has no length");
  const size_t size = kHeader + static_cast<size_t>(extension);
  return bytes.size() < size ? CutOff(size) : size;
}

Result<size_t> CopyDecoder::DecodeRow(std::string_view bytes) {
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  const char* at = begin;
  if (bytes.size() < sizeof(int16_t)) return CutOff(sizeof(int16_t));
  const auto fields = LoadBigEndian<int16_t>(at);
  at += sizeof(int16_t);
  if (fields == kTrailer) {
    ended_ = true;
    return sizeof(int16_t);
  }
  if (fields < 0 || static_cast<size_t>(fields) != columns_.size())
    return Corrupt(fmt::format("{} fields for {} columns", fields, columns_.size()));
  bool ends_batch = false;
  // A row that is cut off will be written again.
  const auto cut_off = [&](int64_t more) {
    for (ColumnBuffer& buffer : buffers_) buffer.Rewind(row_);
    return CutOff(static_cast<size_t>(at - begin + more));
  };
  for (size_t i = 0; i < buffers_.size(); ++i) {
    if (end - at < 4) return cut_off(4);
    const auto length = LoadBigEndian<int32_t>(at);
    at += sizeof(int32_t);
    if (length == -1) {
      buffers_[i].WriteNull(row_);
      continue;
    }
    if (length < 0) return Corrupt(fmt::format("a field of {} bytes", length));
    if (end - at < length) return cut_off(length);
    const Problem problem = buffers_[i].Write(row_, {at, static_cast<size_t>(length)});
    if (problem != Problem::kNone) [[unlikely]]
      return Refuse(i, problem, static_cast<size_t>(length));
    at += length;
    ends_batch |= buffers_[i].text_bytes(row_ + 1) >= options_.text_per_batch;
  }
  ++row_;
  if (ends_batch) TRY(HandOut());
  return static_cast<size_t>(at - begin);
}

Result<> CopyDecoder::HandOut() {
  if (options_.check_text) {
    for (size_t i = 0; i < buffers_.size(); ++i) {
      const int64_t row = buffers_[i].FirstInvalidText(row_);
      if (row < 0) continue;
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("column \"{0}\", row {1}: text that is not UTF-8, in a database whose "
                      "encoding SQL_ASCII says nothing of it; say in a query what it is: "
                      "convert_from(convert(textsend(\"{0}\"), 'LATIN1', 'UTF8'), "
                      "'SQL_ASCII')",
                      columns_[i].name, rows_before_ + row + 1));
    }
  }
  arrow::ArrayVector arrays;
  arrays.reserve(buffers_.size());
  for (ColumnBuffer& buffer : buffers_) arrays.push_back(buffer.Take(row_));
  const auto batch = arrow::RecordBatch::Make(schema_, row_, std::move(arrays));
  rows_before_ += row_;
  row_ = 0;
  begun_ = false;
  return consume_(*batch);
}

Result<> CopyDecoder::Finish() {
  if (!ended_) return Corrupt("it stops before its end");
  return row_ > 0 ? HandOut() : Result<>{};
}

}  // namespace spillway::postgres_source
