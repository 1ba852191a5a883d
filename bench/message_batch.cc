#include "message_batch.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <arrow/api.h>

namespace spillway::bench {
namespace {

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 4000; ++i) {
      std::string word;
      for (size_t j = 0, length = 2 + Below(8); j < length; ++j) {
        word += (j % 2 == 0 ? "bcdfghklmnprstvw" : "aeiouaeiouaeioua")[Below(16)];
      }
      words_.push_back(word);
    }
  }

  size_t Below(size_t bound) { return random_() % bound; }

  std::string Id() {
    std::string id;
    for (int i = 0; i < 36; ++i)
      id += i == 8 || i == 13 || i == 18 || i == 23 ? '-' : "0123456789abcdef"[Below(16)];
    return id;
  }

  std::string Digits(std::string prefix, int count) {
    for (int i = 0; i < count; ++i) prefix += static_cast<char>('0' + Below(10));
    return prefix;
  }

  std::string Body() {
    const size_t bytes = 20 + Below(181);
    const size_t kind = Below(100);
    std::string body;
    while (body.size() < bytes) {
      // Few words are frequent, as in a language.
      const size_t word = std::min(Below(words_.size()), Below(words_.size()));
      body += words_[std::min(word, Below(words_.size()))];
      if (kind < 5 && Below(2) == 0) body += Below(2) == 0 ? "é" : "通知";
      body += Below(12) == 0 ? ". " : " ";
    }
    if (kind >= 5) body.resize(bytes);
    if (kind >= 5 && kind < 8) {
      for (int i = 0; i < 2; ++i) body[1 + Below(body.size() - 2)] = ",\"\n"[Below(3)];
    }
    return body;
  }

  std::mt19937_64& random() { return random_; }

 private:
  std::mt19937_64 random_;
  std::vector<std::string> words_;
};

std::shared_ptr<arrow::Array> Dictionary(Generator& generator, std::vector<std::string> values,
                                         std::vector<double> weights, int64_t rows) {
  arrow::StringBuilder entries;
  arrow::Int32Builder indices;
  std::discrete_distribution<int32_t> chosen(weights.begin(), weights.end());
  arrow::Status status = entries.AppendValues(values);
  for (int64_t i = 0; i < rows; ++i) status &= indices.Append(chosen(generator.random()));
  if (!status.ok()) status.Abort();
  return arrow::DictionaryArray::FromArrays(*indices.Finish(), *entries.Finish()).ValueOrDie();
}

}  // namespace

std::shared_ptr<arrow::RecordBatch> MakeMessageBatch(int64_t rows, uint64_t seed) {
  Generator generator(seed);
  std::vector<std::string> senders;
  for (int i = 0; i < 200; ++i) senders.push_back(generator.Digits("SENDERX", 5));
  constexpr int64_t kPrices[] = {75, 79, 120, 550, 1199, 10'000, 123'456};
  std::discrete_distribution<int> price_of({.4, .2, .15, .1, .1, .04, .01});

  const auto time_type = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  const auto price_type = arrow::decimal128(10, 4);
  arrow::StringBuilder ids, sender, recipients, bodies;
  arrow::TimestampBuilder times(time_type, arrow::default_memory_pool());
  arrow::Decimal128Builder prices(price_type);
  arrow::Status status;
  int64_t time = 1'735'689'600'000'000;
  for (int64_t i = 0; i < rows; ++i) {
    time += static_cast<int64_t>(generator.Below(2'600'000));
    status &= ids.Append(generator.Id());
    status &= times.Append(time);
    status &= sender.Append(senders[generator.Below(200)]);
    status &= recipients.Append(generator.Digits("+", 11));
    status &= prices.Append(arrow::Decimal128(kPrices[price_of(generator.random())] +
                                              static_cast<int64_t>(generator.Below(3))));
    status &= bodies.Append(generator.Body());
  }
  if (!status.ok()) status.Abort();
  const auto channel =
      Dictionary(generator, {"sms", "voice", "whatsapp", "email"}, {.7, .05, .2, .05}, rows);
  const auto state = Dictionary(generator, {"delivered", "failed", "sent", "undelivered"},
                                {.9, .05, .03, .02}, rows);
  const auto schema = arrow::schema(
      {arrow::field("message_id", arrow::utf8()), arrow::field("ts", time_type),
       arrow::field("sender", arrow::utf8()), arrow::field("recipient", arrow::utf8()),
       arrow::field("channel", channel->type()), arrow::field("status", state->type()),
       arrow::field("price", price_type), arrow::field("body", arrow::utf8())});
  return arrow::RecordBatch::Make(
      schema, rows,
      {*ids.Finish(), *times.Finish(), *sender.Finish(), *recipients.Finish(), channel, state,
       *prices.Finish(), *bodies.Finish()});
}

}  // namespace spillway::bench
