#include "lake/handmade_parquet.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <span>
#include <string_view>

namespace spillway::lake {
namespace {

constexpr int kPlain = 0, kPlainDictionary = 2, kRle = 3, kBitPacked = 4, kRleDictionary = 8;

/// Thrift's compact protocol, as far as Parquet needs it.
class Thrift {
 public:
  Thrift& Int(int id, int64_t value, bool is_long = false) {
    Head(id, is_long ? 6 : 5);
    ZigZag(value);
    return *this;
  }
  Thrift& Long(int id, int64_t value) { return Int(id, value, true); }
  Thrift& Text(int id, std::string_view text) {
    Head(id, 8);
    Bytes(text);
    return *this;
  }
  Thrift& False(int id) {
    Head(id, 2);
    return *this;
  }
  Thrift& Struct(int id, const Thrift& of) {
    Head(id, 12);
    out_ += of.Finish();
    return *this;
  }
  Thrift& Structs(int id, const std::vector<Thrift>& list) {
    Head(id, 9);
    out_ += static_cast<char>(list.size() << 4 | 12);
    for (const Thrift& one : list) out_ += one.Finish();
    return *this;
  }
  Thrift& Ints(int id, const std::vector<int>& list) {
    Head(id, 9);
    out_ += static_cast<char>(list.size() << 4 | 5);
    for (const int one : list) ZigZag(one);
    return *this;
  }
  Thrift& Texts(int id, std::string_view one) {
    Head(id, 9);
    out_ += static_cast<char>(1 << 4 | 8);
    Bytes(one);
    return *this;
  }
  std::string Finish() const { return out_ + '\0'; }

 private:
  void Head(int id, int type) {
    out_ += static_cast<char>((id - last_) << 4 | type);
    last_ = id;
  }
  void Bytes(std::string_view text) {
    Varint(text.size());
    out_ += text;
  }
  void ZigZag(int64_t value) {
    Varint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
  }
  void Varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }

  std::string out_;
  int last_ = 0;
};

template <class Integer>
void Append(std::string& out, Integer value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

class File {
 public:
  File(const OddForms& forms, std::mt19937_64& random) : forms_(forms), random_(random) {}

  std::string Write(const std::vector<std::optional<std::string>>& ids,
                    const std::vector<int64_t>& times) {
    const Thrift id = WriteIds(ids);
    const Thrift at = WriteTimes(times);
    const auto rows = static_cast<int64_t>(times.size());
    const std::string footer =
        Thrift()
            .Int(1, 2)
            .Structs(2, {Thrift().Text(4, "schema").Int(5, 2),
                         Thrift().Int(1, 6).Int(3, 1).Text(4, "id").Int(6, 0),
                         Thrift().Int(1, 2).Int(3, 0).Text(4, "at").Int(6, 10)})
            .Long(3, rows)
            .Structs(4, {Thrift()
                             .Structs(1, {Thrift().Long(2, 0).Struct(3, id),
                                          Thrift().Long(2, 0).Struct(3, at)})
                             .Long(2, static_cast<int64_t>(out_.size()))
                             .Long(3, rows)})
            .Finish();
    out_ += footer;
    Append(out_, static_cast<uint32_t>(footer.size()));
    return out_ + "PAR1";
  }

 private:
  size_t Draw(size_t below) { return random_() % below; }
  bool Chance(size_t one_in) { return Draw(one_in) == 0; }

  void Page(const Thrift& header, int type, std::string_view body) {
    out_ += Thrift()
                .Int(1, type)
                .Int(2, static_cast<int64_t>(body.size()))
                .Int(3, static_cast<int64_t>(body.size()))
                .Struct(type == 2   ? 7
                        : type == 3 ? 8
                                    : 5,
                        header)
                .Finish();
    out_ += body;
  }

  /// The hybrid of runs and packed groups.
  std::string Runs(std::span<const uint32_t> values, int width) {
    std::string out;
    const auto head = [&](uint64_t value) {
      for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
      out += static_cast<char>(value);
    };
    const auto run = [&](size_t length, uint32_t value) {
      head(length << 1);
      out.append(reinterpret_cast<const char*>(&value), (width + 7) / 8);
    };
    while (true) {
      while (forms_.runs_of_no_length && Chance(3)) Chance(2) ? run(0, 1) : head(1);
      if (values.empty()) return out;
      size_t equal = 1;
      while (equal < values.size() && values[equal] == values[0]) ++equal;
      if (Chance(2) && values.size() >= 8) {
        const size_t groups = 1 + Draw(values.size() / 8);
        Pack(values.first(groups * 8), width, groups, out, head);
        values = values.subspan(groups * 8);
      } else if (values.size() < 8 && Chance(3)) {
        Pack(values, width, 1, out, head);  // The rest of the last group is padding.
        values = {};
      } else {
        const size_t length = 1 + Draw(equal);
        run(length, values[0]);
        values = values.subspan(length);
      }
    }
  }

  template <class Head>
  static void Pack(std::span<const uint32_t> values, int width, size_t groups, std::string& out,
                   Head head) {
    head(groups << 1 | 1);
    std::string bits(groups * width, '\0');
    for (size_t i = 0; i < values.size(); ++i) {
      for (int bit = 0; bit < width; ++bit) {
        const size_t at = i * width + bit;
        if ((values[i] >> bit & 1) != 0)
          bits[at / 8] = static_cast<char>(bits[at / 8] | 1 << at % 8);
      }
    }
    out += bits;
  }

  void DataPage(std::span<const uint32_t> levels, bool nullable, std::string_view values,
                int encoding) {
    const auto rows = static_cast<int64_t>(levels.size());
    const auto nulls = std::ranges::count(levels, 0U);
    std::string body;
    if (Chance(2)) {
      if (nullable) body = Runs(levels, 1);
      const auto level_bytes = static_cast<int64_t>(body.size());
      body += values;
      return Page(Thrift()
                      .Int(1, rows)
                      .Int(2, nulls)
                      .Int(3, rows)
                      .Int(4, encoding)
                      .Int(5, level_bytes)
                      .Int(6, 0)
                      .False(7),
                  3, body);
    }
    int level_encoding = kRle;
    const bool alike = nulls == 0 || nulls == rows;
    if (nullable && forms_.bit_packed_levels && alike) {
      level_encoding = kBitPacked;
      body.assign((levels.size() + 7) / 8, nulls == 0 ? '\xFF' : '\0');
    } else if (nullable) {
      const std::string runs = Runs(levels, 1);
      Append(body, static_cast<uint32_t>(runs.size()));
      body += runs;
    }
    body += values;
    Page(Thrift().Int(1, rows).Int(2, encoding).Int(3, level_encoding).Int(4, kRle), 0, body);
  }

  Thrift Chunk(int type, std::string_view name, int64_t rows, int64_t begin,
               std::optional<int64_t> dictionary) {
    const auto bytes = static_cast<int64_t>(out_.size()) - (dictionary ? *dictionary : begin);
    Thrift chunk;
    chunk.Int(1, type)
        .Ints(2, {kPlain, kRle, kRleDictionary})
        .Texts(3, name)
        .Int(4, 0)
        .Long(5, rows)
        .Long(6, bytes)
        .Long(7, bytes)
        .Long(9, begin);
    if (dictionary) chunk.Long(11, *dictionary);
    return chunk;
  }

  Thrift WriteIds(const std::vector<std::optional<std::string>>& ids) {
    const auto plain = [](std::string_view text) {
      std::string bytes;
      Append(bytes, static_cast<uint32_t>(text.size()));
      return bytes.append(text);
    };
    std::map<std::string, uint32_t> dictionary;
    std::string entries;
    const auto start = static_cast<int64_t>(out_.size());
    const bool with_dictionary = !Chance(4);
    if (with_dictionary) {
      for (const auto& id : ids) {
        if (!id) continue;
        if (!dictionary.emplace(*id, static_cast<uint32_t>(dictionary.size())).second) continue;
        entries += plain(*id);
      }
      Page(Thrift().Int(1, static_cast<int64_t>(dictionary.size())).Int(2, kPlain), 2, entries);
    }
    const auto begin = static_cast<int64_t>(out_.size());
    const bool dictionary_only = with_dictionary && Chance(2);
    int pages = 0;
    for (size_t row = 0; row < ids.size(); ++pages) {
      const size_t rows =
          forms_.empty_pages && Chance(5) ? 0 : 1 + Draw(std::min<size_t>(ids.size() - row, 200));
      const bool by_index = dictionary_only || (with_dictionary && !Chance(4));
      std::vector<uint32_t> levels, indices;
      std::string values;
      for (size_t i = row; i < row + rows; ++i) {
        levels.push_back(ids[i].has_value() ? 1 : 0);
        if (!ids[i]) continue;
        if (by_index) {
          indices.push_back(dictionary.at(*ids[i]));
        } else {
          values += plain(*ids[i]);
        }
      }
      if (by_index) {
        const int least = std::bit_width(std::max<size_t>(dictionary.size(), 1) - 1);
        const int width = least + static_cast<int>(Draw(3));
        values = static_cast<char>(width) + Runs(indices, width);
      }
      const int encoding = !by_index ? kPlain : Chance(2) ? kPlainDictionary : kRleDictionary;
      DataPage(levels, true, values, encoding);
      row += rows;
    }
    Thrift chunk = Chunk(6, "id", static_cast<int64_t>(ids.size()), begin,
                         with_dictionary ? std::optional(start) : std::nullopt);
    if (dictionary_only) {
      chunk.Structs(13, {Thrift().Int(1, 2).Int(2, kPlain).Int(3, 1),
                         Thrift().Int(1, 0).Int(2, kRleDictionary).Int(3, pages)});
    }
    return chunk;
  }

  Thrift WriteTimes(const std::vector<int64_t>& times) {
    const auto begin = static_cast<int64_t>(out_.size());
    for (size_t row = 0; row < times.size();) {
      const size_t rows =
          forms_.empty_pages && Chance(5) ? 0 : 1 + Draw(std::min<size_t>(times.size() - row, 300));
      std::string values;
      for (size_t i = row; i < row + rows; ++i) Append(values, times[i]);
      DataPage(std::vector<uint32_t>(rows, 1), false, values, kPlain);
      row += rows;
    }
    return Chunk(2, "at", static_cast<int64_t>(times.size()), begin, std::nullopt);
  }

  const OddForms& forms_;
  std::mt19937_64& random_;
  std::string out_ = "PAR1";
};

}  // namespace

std::string HandmadeParquet(const std::vector<std::optional<std::string>>& ids,
                            const std::vector<int64_t>& times, const OddForms& forms,
                            std::mt19937_64& random) {
  return File(forms, random).Write(ids, times);
}

}  // namespace spillway::lake
