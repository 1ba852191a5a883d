#pragma once

/// What every JobStore must do. A new implementation adds one line to its own test program:
///   INSTANTIATE_TEST_SUITE_P(Name, JobStoreConformance, testing::Values(StoreUnderTest{...}));
#include "store/conformance/admissions.h"
#include "store/conformance/chunks.h"
#include "store/conformance/claims.h"
#include "store/conformance/expiries.h"
#include "store/conformance/job_lists.h"
#include "store/conformance/jobs.h"
#include "store/conformance/progress.h"
#include "store/conformance/races.h"
#include "store/conformance/schedules.h"
#include "store/conformance/signing_keys.h"
