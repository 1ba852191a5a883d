#include "job/job.h"

#include <array>

#include "base/digest.h"

namespace spillway::engine {
namespace {

constexpr std::array<std::string_view, 5> kJobStates = {"pending", "processing", "succeeded",
                                                        "failed", "cancelled"};
constexpr std::array<std::string_view, 5> kJobPhases = {"initializing", "discovering", "processing",
                                                        "finalizing", "completed"};
constexpr std::array<std::string_view, 4> kChunkStates = {"pending", "leased", "succeeded", "dead"};

template <class Enum, size_t kSize>
Result<Enum> FromName(const std::array<std::string_view, kSize>& names, std::string_view name,
                      std::string_view what) {
  for (size_t i = 0; i < kSize; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return Fail(ErrorCode::kInvalidArgument,
              "unknown " + std::string(what) + " \"" + std::string(name) + "\"");
}

}  // namespace

std::string_view Name(JobState state) { return kJobStates[static_cast<size_t>(state)]; }
std::string_view Name(JobPhase phase) { return kJobPhases[static_cast<size_t>(phase)]; }
std::string_view Name(ChunkState state) { return kChunkStates[static_cast<size_t>(state)]; }

Result<JobState> JobStateFromName(std::string_view name) {
  return FromName<JobState>(kJobStates, name, "job state");
}
Result<JobPhase> JobPhaseFromName(std::string_view name) {
  return FromName<JobPhase>(kJobPhases, name, "job phase");
}
Result<ChunkState> ChunkStateFromName(std::string_view name) {
  return FromName<ChunkState>(kChunkStates, name, "chunk state");
}

Counts& Counts::operator+=(const Counts& other) {
  planned += other.planned;
  written += other.written;
  excluded += other.excluded;
  failed += other.failed;
  bytes += other.bytes;
  return *this;
}

std::string TaskId(std::string_view export_name, std::string_view tenant,
                   std::string_view parameters) {
  std::string identity;
  for (std::string_view part : {export_name, tenant, parameters}) {
    identity += std::to_string(part.size());
    identity += ':';
    identity += part;
  }
  return ToHex(Sha256Of(identity)).substr(0, 32);
}

}  // namespace spillway::engine
