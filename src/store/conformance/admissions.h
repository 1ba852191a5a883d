#pragma once

#include "store/conformance/job_store_fixture.h"

namespace spillway::store {

TEST_P(JobStoreConformance, TheTenantWithTheFewestBytesPlannedComesFirst) {
  AdmittedOf("a", "a1", 3'000'000'000'000);
  AdmittedOf("b", "b1", 1'000'000'000'000);
  AdmittedOf("b", "b2", 1'000'000'000'000);
  CreateOf("a", "a2");
  CreateOf("a", "a3");
  const std::string b3 = CreateOf("b", "b3");
  CreateOf("b", "b4");
  EXPECT_EQ(AdmitNext(), "b3") << "the younger one, of the tenant with more jobs";
  PlanBytes(b3, 1'000'000'000'001);
  EXPECT_EQ(AdmitNext(), "a2");
  EXPECT_EQ(AdmitNext(), "a3") << "the first one's plan does not stand yet";
  EXPECT_EQ(AdmitNext(), "b4");
  EXPECT_EQ(AdmitNext(), "");
}

TEST_P(JobStoreConformance, AtTheSameBytesTheTenantWithTheFewestJobsComesFirst) {
  CreateOf("a", "a1");
  CreateOf("a", "a2");
  CreateOf("a", "a3");
  CreateOf("b", "b1");
  CreateOf("b", "b2");
  CreateOf("c", "c1");
  std::string admitted;
  for (int i = 0; i < 6; ++i) admitted += AdmitNext() + " ";
  EXPECT_EQ(admitted, "a1 b1 c1 a2 b2 a3 ");
}

TEST_P(JobStoreConformance, AmongTenantsThatAreAlikeTheOldestJobComesFirst) {
  AdmittedOf("a", "a1", 70);
  AdmittedOf("b", "b1", 70);
  CreateOf("b", "b2");
  CreateOf("a", "a2");
  EXPECT_EQ(AdmitNext(), "b2");
}

TEST_P(JobStoreConformance, OnlyWhatIsInProcessingInTheGroupCounts) {
  const std::string ended = AdmittedOf("a", "a1", 1'000);
  Must(store_->Update(Hold(ended), ToFailed()));
  const std::string elsewhere = CreateOf("a", "a2", "another group");
  Must(store_->Admit("another group", 1));
  PlanBytes(elsewhere, 1'000);
  AdmittedOf("b", "b1", 10);
  CreateOf("b", "b2");
  CreateOf("a", "a3");
  EXPECT_EQ(AdmitNext(), "a3");
}

TEST_P(JobStoreConformance, TheLimitIsTheGroups) {
  CreateOf("a", "a1");
  CreateOf("b", "b1");
  CreateOf("c", "c1");
  EXPECT_EQ(Must(store_->Admit("group", 2))->task_id, "a1");
  EXPECT_EQ(Must(store_->Admit("group", 2))->task_id, "b1");
  EXPECT_FALSE(Must(store_->Admit("group", 2))) << "the third tenant waits, too";
}

TEST_P(JobStoreConformance, ARedrivenJobKeepsItsAge) {
  const std::string first = AdmittedOf("a", "a1", 500);
  Must(store_->Update(Hold(first), ToFailed()));
  CreateOf("b", "b1");
  CreateOf("a", "a2");
  Must(store_->Redrive(first, "ada"));
  EXPECT_EQ(AdmitNext(), "a1") << "it is the oldest of tenants alike";
  EXPECT_EQ(Must(store_->Get(first)).bytes_planned, 0) << "its planning starts over";
  EXPECT_EQ(AdmitNext(), "b1");
  EXPECT_EQ(AdmitNext(), "a2");
}

}  // namespace spillway::store
