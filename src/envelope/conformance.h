#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "envelope/envelope.h"
#include "envelope/sample_bytes.h"

/// What every Envelope must do; included by one test file of a program. A new one is a line in an
/// INSTANTIATE_TEST_SUITE_P of EnvelopeConformance.
namespace spillway::envelope {

struct EnvelopeCase {
  std::string name;
  std::function<Result<std::unique_ptr<Envelope>>()> make;
  /// Unwraps the joined output of any number of runs, with somebody else's library.
  std::function<std::string(std::string_view)> unwrap;

  friend void PrintTo(const EnvelopeCase& item, std::ostream* out) { *out << item.name; }
};

class EnvelopeConformance : public ::testing::TestWithParam<EnvelopeCase> {
 protected:
  void SetUp() override {
    auto made = GetParam().make();
    ASSERT_TRUE(made.has_value()) << made.error().message;
    envelope_ = *std::move(made);
  }

  /// Wraps one run, appended in pieces of at most `piece` bytes, drained whenever `drain` is set.
  std::string Wrap(std::string_view bytes, size_t piece, bool drain) {
    auto wrapper = envelope_->NewWrapper();
    EXPECT_TRUE(wrapper.has_value());
    Buffer out;
    std::string wrapped;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const auto appended = (*wrapper)->Append(AsBytes(bytes.substr(at, piece)), out);
      EXPECT_TRUE(appended.has_value());
      if (drain) {
        wrapped += out.view();
        out.Clear();
      }
    }
    const auto finished = (*wrapper)->Finish(out);
    EXPECT_TRUE(finished.has_value());
    return wrapped.append(out.view());
  }

  std::unique_ptr<Envelope> envelope_;
};

TEST_P(EnvelopeConformance, UnwrapsToWhatWasWrapped) {
  for (size_t bytes : {0, 1, 2, 1'000, 65'535, 65'536, 65'537, 3'000'000}) {
    const std::string text = SampleText(bytes, bytes);
    EXPECT_TRUE(GetParam().unwrap(Wrap(text, text.size() + 1, false)) == text) << bytes;
  }
}

TEST_P(EnvelopeConformance, TakesWhatCannotBeCompressed) {
  const std::string noise = SampleNoise(2'000'000, 1);
  EXPECT_TRUE(GetParam().unwrap(Wrap(noise, noise.size(), false)) == noise);
  EXPECT_TRUE(GetParam().unwrap(Wrap(noise, 777, true)) == noise);
}

TEST_P(EnvelopeConformance, TakesPiecesOfAnySizeAndMayBeDrainedBetween) {
  const std::string text = SampleText(50'000, 2);
  for (size_t piece : {1, 7, 4'096, 30'000}) {
    EXPECT_TRUE(GetParam().unwrap(Wrap(text, piece, false)) == text) << piece;
    EXPECT_EQ(Wrap(text, piece, true), Wrap(text, piece, false)) << piece;
  }
}

TEST_P(EnvelopeConformance, R1WhatIsWrittenDoesNotDependOnHowItCame) {
  uint64_t seed = 1;
  for (size_t bytes : {100, 8'000, 600'000}) {
    const std::string text = SampleText(bytes, bytes);
    const std::string whole = Wrap(text, text.size(), false);
    for (int i = 0; i < 8; ++i) {
      seed = seed * 6'364'136'223'846'793'005 + 1;
      const size_t piece = 1 + (seed >> 33) % bytes;
      ASSERT_TRUE(Wrap(text, piece, false) == whole) << bytes << " in pieces of " << piece;
    }
  }
}

TEST_P(EnvelopeConformance, JoinedRunsAreOneWhole) {
  const std::vector<std::string> runs = {SampleText(100'000, 3), "", SampleText(1, 4),
                                         SampleNoise(70'000, 5), ""};
  std::string whole, wrapped;
  for (const std::string& run : runs) {
    whole += run;
    wrapped += Wrap(run, 10'000, true);
  }
  EXPECT_TRUE(GetParam().unwrap(wrapped) == whole);
}

TEST_P(EnvelopeConformance, SameBytesEveryTime) {
  const std::string text = SampleText(300'000, 6);
  EXPECT_EQ(Wrap(text, 50'000, true), Wrap(text, 50'000, true));
}

TEST_P(EnvelopeConformance, AppendsAfterWhatTheBufferHolds) {
  auto wrapper = *envelope_->NewWrapper();
  Buffer out;
  out.Append(std::string_view("before"));
  ASSERT_TRUE(wrapper->Append(AsBytes("text"), out).has_value());
  ASSERT_TRUE(wrapper->Finish(out).has_value());
  ASSERT_TRUE(out.view().starts_with("before"));
  EXPECT_EQ(GetParam().unwrap(out.view().substr(6)), "text");
}

}  // namespace spillway::envelope
