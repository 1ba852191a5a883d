#pragma once

#include <thread>

#include "store/conformance/job_store_fixture.h"

namespace spillway::store {

TEST_P(JobStoreConformance, TheFirstSigningKeyIsRecorded) {
  EXPECT_EQ(Must(store_->SigningKeyId()), "");
  EXPECT_EQ(Must(store_->RecordSigningKey("", "first")), "first");
  EXPECT_EQ(Must(Another()->SigningKeyId()), "first");
  EXPECT_EQ(Must(Another()->RecordSigningKey("", "second")), "first");
  EXPECT_EQ(Must(store_->SigningKeyId()), "first");
}

TEST_P(JobStoreConformance, ASigningKeyIsChangedByWhoeverKnowsIt) {
  EXPECT_EQ(Must(store_->RecordSigningKey("other", "second")), "");
  Must(store_->RecordSigningKey("", "first"));
  EXPECT_EQ(Must(store_->RecordSigningKey("other", "second")), "first");
  EXPECT_EQ(Must(store_->RecordSigningKey("first", "second")), "second");
  EXPECT_EQ(Must(Another()->SigningKeyId()), "second");
  EXPECT_EQ(CodeOf(store_->RecordSigningKey("second", "")), "invalid_argument");
  EXPECT_EQ(Must(store_->SigningKeyId()), "second");
}

TEST_P(JobStoreConformance, OfManySigningKeysAtOnceOneIsRecorded) {
  constexpr int kProcesses = 4;
  std::vector<std::string> answers(kProcesses);
  {
    std::vector<std::jthread> processes;
    for (int i = 0; i < kProcesses; ++i) {
      processes.emplace_back([&, i, store = Another()] {
        answers[i] = Must(store->RecordSigningKey("", "key " + std::to_string(i)));
      });
    }
  }
  const std::string recorded = Must(store_->SigningKeyId());
  EXPECT_NE(recorded, "");
  EXPECT_THAT(answers, testing::Each(recorded));
}

}  // namespace spillway::store
