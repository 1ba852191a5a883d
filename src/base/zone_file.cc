#include "base/zone_file.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace spillway {
namespace {

constexpr std::string_view kMagic = "TZif";

/// Reads big-endian numbers from the front; once there is nothing left, all are 0.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view Bytes(size_t count) {
    if (rest_.size() < count) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  template <class Int>
  Int Number() {
    uint64_t value = 0;
    for (const char byte : Bytes(sizeof(Int))) value = value << 8 | static_cast<uint8_t>(byte);
    return static_cast<Int>(value);
  }

  std::string_view rest() const { return rest_; }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

struct Header {
  char version = 0;
  size_t universal_flags = 0, standard_flags = 0, leaps = 0, times = 0, types = 0, characters = 0;

  size_t DataBytes(size_t time_bytes) const {
    return times * (time_bytes + 1) + types * 6 + characters + leaps * (time_bytes + 4) +
           standard_flags + universal_flags;
  }
};

std::optional<Header> ReadHeader(Reader& reader) {
  if (reader.Bytes(kMagic.size()) != kMagic) return std::nullopt;
  Header header;
  header.version = reader.Number<char>();
  reader.Bytes(15);
  for (size_t* count : {&header.universal_flags, &header.standard_flags, &header.leaps,
                        &header.times, &header.types, &header.characters}) {
    *count = reader.Number<uint32_t>();
  }
  return reader.failed() ? std::nullopt : std::optional(header);
}

std::unexpected<Error> Corrupt(const char* what) { return Fail(ErrorCode::kCorrupt, what); }

}  // namespace

Result<ZoneFile> ParseZoneFile(std::string_view bytes) {
  Reader reader(bytes);
  const std::optional<Header> old = ReadHeader(reader);
  if (!old) return Corrupt("it does not begin as a TZif file does");
  if (old->version < '2')
    return Corrupt("it is of version 1 of TZif, without a rule for the future");
  reader.Bytes(old->DataBytes(4));
  const std::optional<Header> header = ReadHeader(reader);
  if (!header || header->types == 0) return Corrupt("it is cut short");
  if (header->leaps > 0) return Fail(ErrorCode::kUnsupported, "it counts leap seconds");

  Reader data(reader.Bytes(header->DataBytes(8)));
  Reader times(data.Bytes(header->times * 8));
  const std::string_view type_of = data.Bytes(header->times);
  Reader types(data.Bytes(header->types * 6));
  const std::string_view characters = data.Bytes(header->characters);
  if (reader.failed()) return Corrupt("it is cut short");

  std::vector<ZoneFile::Run> clocks(header->types);
  for (ZoneFile::Run& clock : clocks) {
    clock.offset = std::chrono::seconds(types.Number<int32_t>());
    types.Bytes(1);  // Whether it is daylight time.
    const std::string_view from =
        characters.substr(std::min<size_t>(types.Number<uint8_t>(), characters.size()));
    clock.abbreviation = from.substr(0, from.find('\0'));
  }
  ZoneFile file;
  file.runs.push_back(clocks.front());
  file.runs.front().begin = OffsetSpan::kBeginning;
  for (const char type : type_of) {
    const date::sys_seconds begin{std::chrono::seconds(times.Number<int64_t>())};
    const auto index = static_cast<uint8_t>(type);
    if (index >= clocks.size()) return Corrupt("it has a change to a clock that it does not list");
    if (begin <= file.runs.back().begin) return Corrupt("its changes are not in order");
    file.runs.push_back(clocks[index]);
    file.runs.back().begin = begin;
  }

  std::string_view footer = reader.rest();
  const size_t end = footer.find('\n', 1);
  if (!footer.starts_with('\n') || end == std::string_view::npos)
    return Corrupt("it has no rule for the future at its end");
  footer = footer.substr(1, end - 1);
  if (footer.empty()) return file;
  file.rule = ZoneRule::Parse(footer);
  if (!file.rule) return Corrupt("the rule at its end is none of POSIX");
  return file;
}

OffsetSpan ZoneFile::SpanAt(date::sys_seconds at) const {
  const auto next = std::ranges::upper_bound(runs, at, {}, &Run::begin);
  const Run& run = next == runs.begin() ? runs.front() : *std::prev(next);
  if (next == runs.end() && rule) {
    OffsetSpan span = rule->SpanAt(at);
    span.begin = std::max(span.begin, run.begin);
    return span;
  }
  return {.begin = run.begin,
          .end = next == runs.end() ? OffsetSpan::kEnd : next->begin,
          .offset = run.offset,
          .abbreviation = run.abbreviation};
}

}  // namespace spillway
