#include "lake/ingest/reject.h"

#include <utility>

#include <nlohmann/json.hpp>

namespace spillway::lake {

std::string FormatReject(std::string_view input, LinePlace place, std::string_view reason,
                         std::string_view line) {
  nlohmann::ordered_json reject;
  reject["input"] = input;
  reject["line"] = place.line;
  reject["byte"] = place.byte;
  reject["reason"] = reason;
  reject["text"] = line.substr(0, kRejectedTextBytes);
  return reject.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

Result<> RejectOrder::Report(int64_t block, std::string ndjson) {
  const std::lock_guard lock(mutex_);
  waiting_.emplace(block, std::move(ndjson));
  for (auto first = waiting_.begin(); first != waiting_.end() && first->first == next_;
       first = waiting_.erase(first)) {
    ++next_;
    if (!first->second.empty()) TRY(sink_.Write(first->second));
  }
  return {};
}

}  // namespace spillway::lake
