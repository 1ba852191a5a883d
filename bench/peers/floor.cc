// The floor: the least work that makes an organisation's messages of a range of days out of the
// lake into one file with ordered rows. Two threads take day after day: Arrow decodes, rows are
// formatted by code that knows the columns and nothing else, and days are written in their order.
// No plan, leases, manifest, progress or error handling beyond stopping. With `digest` every day's
// bytes get a SHA-256, as a part of ours does; `sync` ends with fsync, as ours does.
//
//   floor LAKE OUTPUT decode|csv|csvgz|zip [digest] [sync]
//
// Prints, as JSON, rows, bytes before compression and bytes written. Lines end with LF; the CSV is
// byte for byte ours.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#ifdef __AVX512BW__
#include <immintrin.h>
#endif

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <date/date.h>
#include <fmt/format.h>
#include <isa-l.h>
#include <openssl/evp.h>
#include <parquet/arrow/reader.h>
#include <parquet/properties.h>

namespace {

constexpr int kThreads = 2;
constexpr int kBatchRows = 16'384;
constexpr int kGzipLevel = 1;
constexpr size_t kWriteBytes = 1 << 20;  // One huge write takes longer than many of this size.
constexpr size_t kFixedBytesOfRow = 128;
constexpr size_t kSlackBytes = 128;  // Strings are copied in blocks of 64.
constexpr int64_t kDayMicroseconds = 86'400'000'000;
constexpr date::sys_days kFirstDay = date::year(2025) / 1 / 11;
constexpr date::sys_days kLastDay = date::year(2025) / 3 / 22;
constexpr std::string_view kHeader = "message_id,ts,sender,recipient,channel,status,price,body\n";

enum class Mode { kDecode, kCsv, kGzip, kZip };

struct Options {
  std::string lake;
  std::string output;
  Mode mode = Mode::kCsv;
  bool digest = false;
  bool sync = false;
};

[[noreturn]] void Stop(const std::string& why) {
  fmt::print(stderr, "floor: {}\n", why);
  std::exit(1);
}

template <class T>
T Take(arrow::Result<T> result) {
  if (!result.ok()) Stop(result.status().ToString());
  return std::move(result).ValueUnsafe();
}

// ---- Formatting

constexpr std::array<char, 200> kTwoDigits = [] {
  std::array<char, 200> digits{};
  for (size_t i = 0; i < 100; ++i) {
    digits[2 * i] = static_cast<char>('0' + i / 10);
    digits[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return digits;
}();

char* PutTwoDigits(char* out, uint64_t value) {
  std::memcpy(out, &kTwoDigits[2 * value], 2);
  return out + 2;
}

#ifdef __AVX512BW__
// Copies in blocks of 64 bytes, of which `out` has room for the last; true where one of the bytes
// asks for quotes.
template <bool kCheck>
bool CopyBlocks(char* out, const char* text, size_t size) {
  uint64_t special = 0;
  for (size_t at = 0; at < size; at += 64) {
    const size_t rest = size - at;
    const __mmask64 valid = rest >= 64 ? ~uint64_t{0} : (uint64_t{1} << rest) - 1;
    const __m512i block = _mm512_maskz_loadu_epi8(valid, text + at);
    if constexpr (kCheck) {
      special |= _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(',')) |
                 _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('"')) |
                 _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\n')) |
                 _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\r'));
    }
    _mm512_storeu_si512(out + at, block);
  }
  return special != 0;
}
#else
template <bool kCheck>
bool CopyBlocks(char* out, const char* text, size_t size) {
  std::memcpy(out, text, size);
  if constexpr (!kCheck) return false;
  return std::string_view(text, size).find_first_of(",\"\n\r") != std::string_view::npos;
}
#endif

char* PutString(char* out, std::string_view text) {
  CopyBlocks<false>(out, text.data(), text.size());
  return out + text.size();
}

char* PutQuotable(char* out, std::string_view text) {
  if (!CopyBlocks<true>(out, text.data(), text.size())) return out + text.size();
  *out++ = '"';
  for (const char c : text) {
    if (c == '"') *out++ = '"';
    *out++ = c;
  }
  *out++ = '"';
  return out;
}

class TimeText {
 public:
  char* Put(char* out, int64_t microseconds) {
    const int64_t day = microseconds / kDayMicroseconds;
    if (day != day_) {
      day_ = day;
      date_ = date::format("%FT", date::sys_days(date::days(day)));
    }
    const uint64_t of_day = static_cast<uint64_t>(microseconds % kDayMicroseconds);
    const uint64_t second = of_day / 1'000'000, fraction = of_day % 1'000'000;
    std::memcpy(out, date_.data(), 11);
    PutTwoDigits(out + 11, second / 3600);
    out[13] = ':';
    PutTwoDigits(out + 14, second / 60 % 60);
    out[16] = ':';
    PutTwoDigits(out + 17, second % 60);
    out[19] = '.';
    PutTwoDigits(out + 20, fraction / 10'000);
    PutTwoDigits(out + 22, fraction / 100 % 100);
    PutTwoDigits(out + 24, fraction % 100);
    out[26] = 'Z';
    return out + 27;
  }

 private:
  int64_t day_ = -1;
  std::string date_;
};

// decimal(10, 4) of at most 64 bits.
char* PutPrice(char* out, int64_t units) {
  if (units < 0) *out++ = '-';
  const uint64_t magnitude =
      units < 0 ? -static_cast<uint64_t>(units) : static_cast<uint64_t>(units);
  out = fmt::format_to(out, FMT_STRING("{}"), magnitude / 10'000);
  *out++ = '.';
  out = PutTwoDigits(out, magnitude % 10'000 / 100);
  return PutTwoDigits(out, magnitude % 100);
}

struct Dictionary {
  explicit Dictionary(const arrow::Array& column) {
    const auto& encoded = static_cast<const arrow::DictionaryArray&>(column);
    const auto& values = static_cast<const arrow::StringArray&>(*encoded.dictionary());
    for (int64_t i = 0; i < values.length(); ++i) entries.push_back(values.GetView(i));
    indices = static_cast<const arrow::Int32Array&>(*encoded.indices()).raw_values();
  }

  std::string_view At(int64_t row) const { return entries[static_cast<size_t>(indices[row])]; }

  std::vector<std::string_view> entries;
  const int32_t* indices;
};

const arrow::StringArray& Strings(const arrow::RecordBatch& batch, int column) {
  return static_cast<const arrow::StringArray&>(*batch.column(column));
}

size_t ValueBytes(const arrow::StringArray& strings) {
  return static_cast<size_t>(strings.total_values_length());
}

// Appends the rows behind the first `size` bytes of `buffer`, which grows as needed; the new size.
size_t Format(const arrow::RecordBatch& batch, std::vector<char>& buffer, size_t size) {
  const arrow::StringArray &id = Strings(batch, 0), &sender = Strings(batch, 2),
                           &recipient = Strings(batch, 3), &body = Strings(batch, 7);
  const int64_t* times = static_cast<const arrow::TimestampArray&>(*batch.column(1)).raw_values();
  const Dictionary channel(*batch.column(4)), status(*batch.column(5));
  const auto& prices = static_cast<const arrow::Decimal128Array&>(*batch.column(6));
  const size_t room = ValueBytes(id) + ValueBytes(sender) + ValueBytes(recipient) +
                      2 * ValueBytes(body) +
                      static_cast<size_t>(batch.num_rows()) * kFixedBytesOfRow + kSlackBytes;
  if (buffer.size() < size + room) buffer.resize(size + room);
  char* out = buffer.data() + size;
  TimeText time;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    int64_t price = 0;
    std::memcpy(&price, prices.GetValue(row), sizeof price);
    out = PutString(out, id.GetView(row));
    *out++ = ',';
    out = time.Put(out, times[row]);
    *out++ = ',';
    out = PutString(out, sender.GetView(row));
    *out++ = ',';
    out = PutString(out, recipient.GetView(row));
    *out++ = ',';
    out = PutString(out, channel.At(row));
    *out++ = ',';
    out = PutString(out, status.At(row));
    *out++ = ',';
    out = PutPrice(out, price);
    *out++ = ',';
    out = PutQuotable(out, body.GetView(row));
    *out++ = '\n';
  }
  return static_cast<size_t>(out - buffer.data());
}

// ---- One day

struct Digest {
  explicit Digest(bool wanted) {
    if (wanted) EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  }

  void Update(const void* bytes, size_t size) { EVP_DigestUpdate(context.get(), bytes, size); }

  void Finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> value;
    EVP_DigestFinal_ex(context.get(), value.data(), nullptr);
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free};
};

struct Day {
  std::string name;
  int64_t rows = 0;
  size_t text_bytes = 0;
  uint32_t crc = 0;
  std::string_view bytes;  // As they go into the file; in the worker's buffers.
};

class Worker {
 public:
  explicit Worker(const Options& options)
      : options_(options), level_buffer_(ISAL_DEF_LVL1_DEFAULT) {}

  Day Make(date::sys_days date) {
    Day day{.name = date::format("%F", date)};
    const bool plain = options_.mode == Mode::kCsv;
    Digest digest(options_.digest);
    const bool with_header = options_.mode == Mode::kZip || date == kFirstDay;
    size_t size = 0;
    if (with_header) {
      text_.resize(std::max(text_.size(), kHeader.size()));
      size = kHeader.copy(text_.data(), kHeader.size());
    }
    size_t digested = 0;
    const auto reader = Open(options_.lake + "/organisation=7/day=" + day.name + "/part-0.parquet");
    const auto batches = Take(reader->GetRecordBatchReader());
    while (const auto batch = Take(batches->Next())) {
      day.rows += batch->num_rows();
      if (options_.mode == Mode::kDecode) continue;
      size = Format(*batch, text_, size);
      if (plain && options_.digest) digest.Update(text_.data() + digested, size - digested);
      digested = size;
    }
    day.text_bytes = size;
    day.bytes = std::string_view(text_.data(), size);
    if (options_.mode == Mode::kGzip || options_.mode == Mode::kZip) {
      Compress(day);
      if (options_.digest) digest.Update(day.bytes.data(), day.bytes.size());
    }
    if (options_.digest) digest.Finish();
    return day;
  }

 private:
  static std::unique_ptr<parquet::arrow::FileReader> Open(const std::string& path) {
    const auto file = Take(arrow::io::MemoryMappedFile::Open(path, arrow::io::FileMode::READ));
    parquet::ArrowReaderProperties properties(/*use_threads=*/false);
    properties.set_batch_size(kBatchRows);
    properties.set_read_dictionary(4, true);
    properties.set_read_dictionary(5, true);
    parquet::arrow::FileReaderBuilder builder;
    if (const arrow::Status status = builder.Open(file); !status.ok()) Stop(status.ToString());
    builder.properties(properties);
    return Take(builder.Build());
  }

  void Compress(Day& day) {
    const bool gzip = options_.mode == Mode::kGzip;
    const size_t room = day.bytes.size() + day.bytes.size() / 8 + 4096;
    if (compressed_.size() < room) compressed_.resize(room);
    auto* text = reinterpret_cast<uint8_t*>(text_.data());
    isal_zstream stream;
    isal_deflate_init(&stream);
    stream.level = kGzipLevel;
    stream.level_buf = level_buffer_.data();
    stream.level_buf_size = static_cast<uint32_t>(level_buffer_.size());
    stream.gzip_flag = gzip ? IGZIP_GZIP : IGZIP_DEFLATE;
    stream.end_of_stream = 1;
    stream.flush = NO_FLUSH;
    stream.next_in = text;
    stream.avail_in = static_cast<uint32_t>(day.text_bytes);
    stream.next_out = compressed_.data();
    stream.avail_out = static_cast<uint32_t>(compressed_.size());
    if (isal_deflate(&stream) != COMP_OK || stream.avail_in != 0) Stop("deflate failed");
    if (!gzip) day.crc = crc32_gzip_refl(0, text, day.text_bytes);
    day.bytes = std::string_view(reinterpret_cast<char*>(compressed_.data()), stream.total_out);
  }

  const Options& options_;
  std::vector<char> text_;
  std::vector<uint8_t> compressed_;
  std::vector<uint8_t> level_buffer_;
};

// ---- The file

class Output {
 public:
  explicit Output(const Options& options)
      : zip_(options.mode == Mode::kZip),
        file_(open(options.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644)) {
    if (file_ < 0) Stop("cannot write " + options.output);
  }

  ~Output() { close(file_); }

  // Waits for the day's turn.
  void Add(int turn, const Day& day) {
    std::unique_lock lock(mutex_);
    turned_.wait(lock, [&] { return turn_ == turn; });
    if (zip_) AddEntry(day);
    Write(day.bytes);
    rows += day.rows;
    text_bytes += day.text_bytes;
    ++turn_;
    turned_.notify_all();
  }

  void Finish(bool sync) {
    if (zip_) {
      const std::string directory = std::exchange(directory_, {});
      const auto at = static_cast<uint32_t>(written);
      Write(directory);
      std::string end = "PK\5\6";
      PutNumbers<uint16_t>(end, {0, 0, static_cast<uint16_t>(turn_), static_cast<uint16_t>(turn_)});
      PutNumbers<uint32_t>(end, {static_cast<uint32_t>(directory.size()), at});
      PutNumbers<uint16_t>(end, {0});
      Write(end);
    }
    if (sync && fsync(file_) != 0) Stop("fsync failed");
  }

  int64_t rows = 0;
  uint64_t text_bytes = 0;
  uint64_t written = 0;

 private:
  template <class Number>
  static void PutNumbers(std::string& out, std::initializer_list<Number> numbers) {
    for (const Number number : numbers)
      out.append(reinterpret_cast<const char*>(&number), sizeof number);
  }

  // APPNOTE.TXT 4.3.7 and 4.3.12; files below 4 GiB.
  void AddEntry(const Day& day) {
    const std::string name = day.name + ".csv";
    std::string shared;
    PutNumbers<uint16_t>(shared,
                         {20, 0, 8, 0, 0x21});  // Version, flags, deflate, 1980-01-01 00:00.
    PutNumbers<uint32_t>(shared, {day.crc, static_cast<uint32_t>(day.bytes.size()),
                                  static_cast<uint32_t>(day.text_bytes)});
    PutNumbers<uint16_t>(shared, {static_cast<uint16_t>(name.size()), 0});
    directory_ +=
        std::string("PK\1\2", 4) + std::string("\x14\0", 2) + shared + std::string(10, '\0');
    PutNumbers<uint32_t>(directory_, {static_cast<uint32_t>(written)});
    directory_ += name;
    Write(std::string("PK\3\4", 4) + shared + name);
  }

  void Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = write(file_, bytes.data(), std::min(bytes.size(), kWriteBytes));
      if (count <= 0) Stop("write failed");
      bytes.remove_prefix(static_cast<size_t>(count));
      written += static_cast<uint64_t>(count);
    }
  }

  const bool zip_;
  const int file_;
  std::mutex mutex_;
  std::condition_variable turned_;
  int turn_ = 0;
  std::string directory_;
};

Options Parse(int argc, char** argv) {
  if (argc < 4) Stop("usage: floor LAKE OUTPUT decode|csv|csvgz|zip [digest] [sync]");
  const std::string mode = argv[3];
  const std::set<std::string> flags(argv + 4, argv + argc);
  Options options{.lake = argv[1],
                  .output = argv[2],
                  .digest = flags.contains("digest"),
                  .sync = flags.contains("sync")};
  if (mode == "decode") {
    options.mode = Mode::kDecode;
  } else if (mode == "csv") {
    options.mode = Mode::kCsv;
  } else if (mode == "csvgz") {
    options.mode = Mode::kGzip;
  } else if (mode == "zip") {
    options.mode = Mode::kZip;
  } else {
    Stop("no mode " + mode);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  const int days = (kLastDay - kFirstDay).count() + 1;
  Output output(options);
  std::atomic<int> next{0};
  const auto work = [&] {
    Worker worker(options);
    for (int day = next++; day < days; day = next++)
      output.Add(day, worker.Make(kFirstDay + date::days(day)));
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(work);
  }
  output.Finish(options.sync);
  fmt::print("{{\"rows\": {}, \"text_bytes\": {}, \"bytes\": {}}}\n", output.rows,
             output.text_bytes, output.written);
}
