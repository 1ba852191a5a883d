#include "lake/column/page_header.h"

#include <algorithm>
#include <initializer_list>

namespace spillway::lake {
namespace {

/// Thrift's compact protocol. After a failure everything reads as zero and ok() is false.
class CompactReader {
 public:
  enum Type : uint8_t {
    kStop = 0,
    kTrue = 1,
    kFalse = 2,
    kByte = 3,
    kI16 = 4,
    kI32 = 5,
    kI64 = 6,
    kDouble = 7,
    kBinary = 8,
    kList = 9,
    kSet = 10,
    kMap = 11,
    kStruct = 12,
    kUuid = 13,
  };

  explicit CompactReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t position() const { return position_; }

  int32_t Int() {
    const auto zigzag = static_cast<uint32_t>(Varint());
    return static_cast<int32_t>(zigzag >> 1 ^ -(zigzag & 1));
  }

  /// Calls `field(id, type)` for each field of a struct; it reads the value and returns true, or
  /// leaves it to be skipped. A struct without one of the `required` fields is a failure.
  template <class Field>
  void Struct(std::initializer_list<int> required, Field field, int depth = 0) {
    uint32_t read = 0;
    int16_t id = 0;
    while (ok_) {
      const uint8_t head = Byte();
      const uint8_t type = head & 0xf;
      if (!ok_ || type == kStop) break;
      id = static_cast<int16_t>((head >> 4) != 0 ? id + (head >> 4) : Int());
      if (field(id, type)) {
        read |= 1U << id;
      } else {
        Skip(type, depth);
      }
    }
    for (const int one : required) {
      if ((read & 1U << one) == 0) Fail();
    }
  }

 private:
  void Skip(uint8_t type, int depth) {
    if (depth > 16) Fail();
    if (!ok_) return;
    switch (type) {
      case kTrue:
      case kFalse:
        return;
      case kByte:
        return Pass(1);
      case kI16:
      case kI32:
      case kI64:
        Varint();
        return;
      case kDouble:
        return Pass(8);
      case kBinary:
        return Pass(Varint());
      case kList:
      case kSet:
        return SkipList(depth);
      case kMap:
        return SkipMap(depth);
      case kUuid:
        return Pass(16);
      case kStruct:
        return Struct({}, [](int32_t, uint8_t) { return false; }, depth + 1);
      default:
        Fail();
    }
  }

  void Fail() { ok_ = false; }

  uint8_t Byte() {
    if (position_ >= bytes_.size()) Fail();
    return ok_ ? static_cast<uint8_t>(bytes_[position_++]) : 0;
  }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Byte();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    Fail();
    return 0;
  }

  void Pass(uint64_t bytes) {
    if (bytes > bytes_.size() - position_) return Fail();
    position_ += bytes;
  }

  /// A value in a list or map; a boolean there takes a byte.
  void SkipElement(uint8_t type, int depth) {
    if (type == kTrue || type == kFalse) return Pass(1);
    Skip(type, depth + 1);
  }

  void SkipList(int depth) {
    const uint8_t head = Byte();
    const uint64_t size = (head >> 4) == 15 ? Varint() : head >> 4;
    for (uint64_t i = 0; ok_ && i < size; ++i) SkipElement(head & 0xf, depth);
  }

  void SkipMap(int depth) {
    const uint64_t size = Varint();
    if (size == 0) return;
    const uint8_t types = Byte();
    for (uint64_t i = 0; ok_ && i < size; ++i) {
      SkipElement(types >> 4, depth);
      SkipElement(types & 0xf, depth);
    }
  }

  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

/// Of a data page, or of a dictionary page, which has the first two of its fields.
void ReadPage(CompactReader& reader, std::initializer_list<int> required, PageHeader& header) {
  reader.Struct(required, [&](int32_t id, uint8_t type) {
    if (type != CompactReader::kI32) return false;
    switch (id) {
      case 1:
        header.values = reader.Int();
        return true;
      case 2:
        header.encoding = reader.Int();
        return true;
      case 3:
        header.definition_level_encoding = reader.Int();
        return true;
      case 4:
        reader.Int();  // Of repetition levels: no column of a lake has any.
        return true;
      default:
        return false;
    }
  });
}

void ReadDataPageV2(CompactReader& reader, PageHeader& header) {
  reader.Struct({1, 2, 3, 4, 5, 6}, [&](int32_t id, uint8_t type) {
    if (id == 7 && (type == CompactReader::kTrue || type == CompactReader::kFalse)) {
      header.compressed = type == CompactReader::kTrue;
      return true;
    }
    if (type != CompactReader::kI32) return false;
    switch (id) {
      case 1:
        header.values = reader.Int();
        return true;
      case 2:
        reader.Int();  // How many nulls: the levels say where.
        return true;
      case 3:
        header.rows = reader.Int();
        return true;
      case 4:
        header.encoding = reader.Int();
        return true;
      case 5:
        header.definition_level_bytes = reader.Int();
        return true;
      case 6:
        header.repetition_level_bytes = reader.Int();
        return true;
      default:
        return false;
    }
  });
}

}  // namespace

std::optional<PageHeader> ParsePageHeader(std::span<const std::byte> bytes) {
  using Type = PageHeader::Type;
  CompactReader reader(bytes);
  int32_t type_of_page = 0;
  PageHeader common;  // What pages of every type have.
  std::optional<PageHeader> data, dictionary, data_v2;
  reader.Struct({1, 2, 3}, [&](int32_t id, uint8_t type) {
    if (type == CompactReader::kStruct) {
      switch (id) {
        case 5:
          ReadPage(reader, {1, 2, 3, 4}, data.emplace(PageHeader{.type = Type::kData}));
          return true;
        case 7:
          ReadPage(reader, {1, 2}, dictionary.emplace(PageHeader{.type = Type::kDictionary}));
          return true;
        case 8:
          ReadDataPageV2(reader, data_v2.emplace(PageHeader{.type = Type::kDataV2}));
          return true;
        default:
          return false;
      }
    }
    if (type != CompactReader::kI32) return false;
    switch (id) {
      case 1:
        type_of_page = reader.Int();
        return true;
      case 2:
        common.uncompressed_bytes = reader.Int();
        return true;
      case 3:
        common.compressed_bytes = reader.Int();
        return true;
      case 4:
        common.crc = static_cast<uint32_t>(reader.Int());
        return true;
      default:
        return false;
    }
  });
  if (!reader.ok()) return std::nullopt;
  // Headers of other types than the page's may stand beside its own.
  const std::optional<PageHeader> own = type_of_page == 0   ? data
                                        : type_of_page == 2 ? dictionary
                                        : type_of_page == 3 ? data_v2
                                                            : common;
  if (!own) return std::nullopt;
  PageHeader header = *own;
  header.uncompressed_bytes = common.uncompressed_bytes;
  header.compressed_bytes = common.compressed_bytes;
  header.crc = common.crc;
  header.header_bytes = reader.position();
  if (std::min({header.uncompressed_bytes, header.compressed_bytes, header.values, header.rows,
                header.definition_level_bytes, header.repetition_level_bytes}) < 0) {
    return std::nullopt;
  }
  return header;
}

}  // namespace spillway::lake
