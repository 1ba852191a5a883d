#include "job/state_machine.h"

namespace spillway::engine {

bool IsLegal(JobState from, JobState to) {
  switch (from) {
    case JobState::kPending:
      return to == JobState::kProcessing || to == JobState::kCancelled;
    case JobState::kProcessing:
      return IsFinal(to);
    case JobState::kFailed:
      return to == JobState::kPending;
    case JobState::kSucceeded:
    case JobState::kCancelled:
      return false;
  }
  return false;
}

bool IsLegal(JobPhase from, JobPhase to) { return to >= from; }

}  // namespace spillway::engine
