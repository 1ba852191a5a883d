#include "engine/work.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace spillway::engine {
namespace {

constexpr std::array<std::string_view, 4> kActs = {"plan", "process", "finish", "discard"};
constexpr size_t kSendMax = 512;

}  // namespace

std::string ToBody(const Work& work) {
  std::string body(kActs[static_cast<size_t>(work.act)]);
  body += ' ';
  body += work.job_id;
  if (work.act == Act::kProcess) {
    body += ' ';
    body += std::to_string(work.chunk);
  }
  return body;
}

Result<Work> WorkFromBody(std::string_view body) {
  const auto malformed = [body] {
    return Fail(ErrorCode::kCorrupt,
                "a queue message reads \"" + std::string(body) + "\", not `act job [chunk]`");
  };
  const size_t first = body.find(' ');
  if (first == std::string_view::npos) return malformed();
  const auto act = std::find(kActs.begin(), kActs.end(), body.substr(0, first));
  if (act == kActs.end()) return malformed();
  Work work;
  work.act = static_cast<Act>(act - kActs.begin());
  std::string_view rest = body.substr(first + 1);
  if (work.act == Act::kProcess) {
    const size_t second = rest.find(' ');
    if (second == std::string_view::npos) return malformed();
    const std::string_view digits = rest.substr(second + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), work.chunk);
    if (error != std::errc() || end != digits.data() + digits.size() || work.chunk < 0)
      return malformed();
    rest = rest.substr(0, second);
  }
  if (rest.empty()) return malformed();
  work.job_id = rest;
  return work;
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
