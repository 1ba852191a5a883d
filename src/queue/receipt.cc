#include "queue/receipt.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace spillway::store::sql {

std::vector<Receipt> ReadHandles(std::span<const std::string> handles) {
  std::vector<Receipt> receipts;
  receipts.reserve(handles.size());
  for (const std::string& handle : handles) {
    Receipt receipt;
    const char* end = handle.data() + handle.size();
    const auto [dot, id_error] = std::from_chars(handle.data(), end, receipt.id);
    if (id_error != std::errc() || dot == end || *dot != '.') continue;
    const auto [rest, count_error] = std::from_chars(dot + 1, end, receipt.receive_count);
    if (count_error == std::errc() && rest == end) receipts.push_back(receipt);
  }
  return receipts;
}

std::vector<Delivery> InOrder(std::vector<Taken> taken) {
  std::ranges::sort(taken, {},
                    [](const Taken& one) { return std::pair(one.turn, one.receipt.id); });
  std::vector<Delivery> deliveries;
  deliveries.reserve(taken.size());
  for (auto& [turn, receipt, body] : taken) {
    deliveries.push_back({.handle = fmt::format("{}.{}", receipt.id, receipt.receive_count),
                          .body = std::move(body),
                          .receive_count = receipt.receive_count});
  }
  return deliveries;
}

Result<> CheckMessages(std::span<const Message> messages) {
  constexpr size_t kBodyBytesMax = 1024;
  for (const Message& message : messages) {
    if (message.body.size() > kBodyBytesMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("a message of {} bytes; at most {} are allowed", message.body.size(),
                              kBodyBytesMax));
    }
  }
  return {};
}

}  // namespace spillway::store::sql
