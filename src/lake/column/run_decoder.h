#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

namespace spillway::lake {

/// Parquet's hybrid of run-length and bit-packed integers, which levels and dictionary indices are
/// stored in (github.com/apache/parquet-format, Encodings.md, RLE = 3). Its bytes must be followed
/// by 8 that may be read.
class RunDecoder {
 public:
  RunDecoder() = default;
  /// `bit_width` is at most 32.
  RunDecoder(std::span<const uint8_t> bytes, int bit_width)
      : next_(bytes.data()), end_(bytes.data() + bytes.size()), bit_width_(bit_width) {}

  /// Decodes `count` integers that are packed without runs, the least significant bit first.
  static RunDecoder Packed(std::span<const uint8_t> bytes, int bit_width, int64_t count) {
    RunDecoder decoder(bytes.last(0), bit_width);
    decoder.packed_ = bytes.data();
    decoder.left_ = count;
    return decoder;
  }

  /// A run of integers: equal ones (`repeated`), or packed ones.
  struct Run {
    bool repeated = false;
    uint32_t value = 0;
    int64_t length = 0;
  };

  /// The rest of the current run, or the next one; length 0 at the end and where the bytes are
  /// broken.
  Run Peek() {
    if (left_ == 0) FindRun();
    return {.repeated = repeated_, .value = value_, .length = left_};
  }

  /// Passes over `count` integers of the run that Peek returned.
  void Pass(int64_t count) {
    left_ -= count;
    packed_at_ += count;
  }

  /// Writes integers; returns how many, fewer than `count` only where the bytes end or are broken.
  int64_t Decode(int64_t count, int32_t* out) {
    int64_t done = 0;
    while (done < count) {
      const Run run = Peek();
      if (run.length == 0) break;
      const int64_t take = std::min(run.length, count - done);
      if (run.repeated) {
        std::fill_n(out + done, take, static_cast<int32_t>(run.value));
      } else {
        Unpack(take, out + done);
      }
      Pass(take);
      done += take;
    }
    return done;
  }

  int64_t Skip(int64_t count) {
    int64_t done = 0;
    while (done < count) {
      const int64_t take = std::min(Peek().length, count - done);
      if (take == 0) break;
      Pass(take);
      done += take;
    }
    return done;
  }

 private:
  /// Writers may put runs of no length anywhere.
  void FindRun() {
    while (left_ == 0 && next_ != end_) {
      if (!NextRun()) next_ = end_;
    }
  }

  /// False where the bytes are broken.
  bool NextRun() {
    packed_at_ = 0;
    uint64_t head = 0;
    for (int shift = 0;; shift += 7) {
      if (next_ == end_ || shift > 28) return false;
      const uint8_t byte = *next_++;
      head |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    repeated_ = (head & 1) == 0;
    const int64_t length = static_cast<int64_t>(head >> 1) * (repeated_ ? 1 : 8);
    if (length > INT32_MAX) return false;
    const int64_t there = end_ - next_;
    if (repeated_) {
      const int bytes = (bit_width_ + 7) / 8;
      if (there < bytes) return false;
      value_ = 0;
      std::memcpy(&value_, next_, bytes);
      next_ += bytes;
      left_ = length;
      return true;
    }
    // Writers may leave out the padding of the last group.
    const int64_t bytes = std::min(length / 8 * bit_width_, there);
    const int64_t whole = bit_width_ == 0 ? length : bytes * 8 / bit_width_;
    if (whole <= length - 8) return false;
    packed_ = next_;
    next_ += bytes;
    left_ = whole;
    return true;
  }

  void Unpack(int64_t count, int32_t* out) const {
    const uint64_t mask = (uint64_t{1} << bit_width_) - 1;
    uint64_t bit = static_cast<uint64_t>(packed_at_) * bit_width_;
    for (int64_t i = 0; i < count; ++i, bit += bit_width_) {
      uint64_t word;
      std::memcpy(&word, packed_ + bit / 8, sizeof(word));
      out[i] = static_cast<int32_t>((word >> (bit % 8)) & mask);
    }
  }

  const uint8_t* next_ = nullptr;
  const uint8_t* end_ = nullptr;
  int bit_width_ = 0;
  bool repeated_ = false;
  uint32_t value_ = 0;
  const uint8_t* packed_ = nullptr;
  int64_t packed_at_ = 0;
  int64_t left_ = 0;
};

}  // namespace spillway::lake
