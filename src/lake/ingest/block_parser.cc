#include "lake/ingest/block_parser.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace spillway::lake {
namespace {

constexpr int64_t kMicrosADay = 86'400'000'000;

int32_t DayOf(int64_t micros) {
  const int64_t day = micros / kMicrosADay;
  return static_cast<int32_t>(micros % kMicrosADay < 0 ? day - 1 : day);
}

}  // namespace

BlockParser::BlockParser(const RowLayout& layout, const std::string& organisation_field,
                         UnknownFields unknown_fields, size_t line_bytes_max,
                         PartitionBuffers& partitions, RejectOrder& rejects)
    : line_bytes_max_(line_bytes_max),
      partitions_(partitions),
      rejects_(rejects),
      parser_(layout, organisation_field, unknown_fields, line_bytes_max) {}

PartitionBuffers::Partition& BlockParser::Find(std::string_view organisation, int64_t time) {
  const int32_t day = DayOf(time);
  auto found = organisations_.find(organisation);
  if (found == organisations_.end()) {
    found = organisations_.emplace(std::string(organisation), Days{}).first;
  }
  Days& days = found->second;
  if (days.last == nullptr || days.last_day != day) {
    auto& partition = days.others[day];
    if (partition == nullptr) partition = &partitions_.Find(organisation, day);
    days.last_day = day;
    days.last = partition;
  }
  return *days.last;
}

void BlockParser::TakeLine(std::string_view line, LinePlace place, LineCounts& counts) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
    ++counts.empty_lines;
    return;
  }
  const size_t at = rows_.size();
  const auto organisation = parser_.Parse(line, rows_);
  if (!organisation) {
    refused_ += FormatReject(rejects_.input(), place, organisation.error(), line);
    ++counts.rejected;
    return;
  }
  auto& header = *reinterpret_cast<RowHeader*>(rows_.data() + at);
  header.line = static_cast<uint64_t>(place.line);
  PartitionBuffers::Partition& partition = Find(*organisation, header.time);
  if (partition.number >= offsets_.size()) offsets_.resize(partition.number + 1);
  std::vector<uint32_t>& offsets = offsets_[partition.number];
  if (offsets.empty()) touched_.push_back(&partition);
  offsets.push_back(static_cast<uint32_t>(at));
  ++counts.rows;
}

void BlockParser::HandOver(int64_t block) {
  for (PartitionBuffers::Partition* partition : touched_) {
    std::vector<uint32_t>& offsets = offsets_[partition->number];
    partitions_.Append(*partition, block, rows_.data(), offsets);
    offsets.clear();
  }
  touched_.clear();
  rows_.Clear();
}

Result<LineCounts> BlockParser::Parse(const LineBlock& block) {
  LineCounts counts;
  if (block.overlong) {
    counts.rejected = 1;
    TRY(rejects_.Report(
        block.number,
        FormatReject(rejects_.input(), block.first,
                     fmt::format("longer than {} bytes", line_bytes_max_), block.text())));
    return counts;
  }
  LinePlace place = block.first;
  for (std::string_view rest = block.text(); !rest.empty();) {
    const size_t newline = rest.find('\n');
    TakeLine(rest.substr(0, newline), place, counts);
    const size_t passed = newline == std::string_view::npos ? rest.size() : newline + 1;
    rest.remove_prefix(passed);
    ++place.line;
    place.byte += passed;
  }
  HandOver(block.number);
  TRY(rejects_.Report(block.number, std::exchange(refused_, {})));
  return counts;
}

}  // namespace spillway::lake
