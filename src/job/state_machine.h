#pragma once

#include "job/job.h"

namespace spillway::engine {

/// Whether a job may go from one state to the other (E1). The stores enforce the same table.
bool IsLegal(JobState from, JobState to);

/// Whether a job may move between the phases: forward only.
bool IsLegal(JobPhase from, JobPhase to);

}  // namespace spillway::engine
