#include "engine/work.h"

#include <algorithm>
#include <array>

namespace spillway::engine {
namespace {

constexpr std::array<std::string_view, 5> kActs = {"plan", "process", "finish", "discard",
                                                   "resume"};
constexpr size_t kSendMax = 512;

}  // namespace

std::string ToBody(const Work& work) {
  std::string body(kActs[static_cast<size_t>(work.act)]);
  body += ' ';
  body += work.job_id;
  return body;
}

Result<Work> WorkFromBody(std::string_view body) {
  const auto malformed = [body] {
    return Fail(ErrorCode::kCorrupt,
                "a queue message reads \"" + std::string(body) + "\", not `act job`");
  };
  const size_t space = body.find(' ');
  if (space == std::string_view::npos) return malformed();
  const auto act = std::find(kActs.begin(), kActs.end(), body.substr(0, space));
  const std::string_view job_id = body.substr(space + 1);
  if (act == kActs.end() || job_id.empty() || job_id.contains(' ')) return malformed();
  return Work{.act = static_cast<Act>(act - kActs.begin()), .job_id = std::string(job_id)};
}

Result<> SendWork(store::Queue& queue, std::span<const Work> work,
                  std::chrono::milliseconds delay) {
  std::vector<store::Message> messages;
  for (size_t at = 0; at < work.size(); at += kSendMax) {
    messages.clear();
    for (const Work& one : work.subspan(at, std::min(kSendMax, work.size() - at))) {
      messages.push_back({.group = one.job_id, .body = ToBody(one), .delay = delay});
    }
    TRY(queue.Send(messages));
  }
  return {};
}

}  // namespace spillway::engine
