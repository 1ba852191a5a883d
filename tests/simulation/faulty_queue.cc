#include "simulation/faulty_queue.h"

namespace spillway::simulation {
namespace {

constexpr uint64_t kLateMax = 5'000;

}  // namespace

Result<> FaultyQueue::Send(std::span<const store::Message> messages) {
  const Faults& faults = process_.faults();
  std::vector<store::Message> sent;
  std::string bodies;
  for (const store::Message& message : messages) {
    const auto late = [&] {
      return std::chrono::milliseconds(process_.scheduler().random().Below(kLateMax));
    };
    if (process_.Strikes(faults.lose_message)) continue;
    store::Message& one = sent.emplace_back(message);
    bodies += (bodies.empty() ? "" : ", ") + message.body;
    if (process_.Strikes(faults.delay_message)) one.delay += late();
    if (process_.Strikes(faults.double_message)) {
      sent.push_back({.group = message.group, .body = message.body, .delay = late()});
    }
  }
  return process_.Call("send", bodies, [&] { return queue_.Send(sent); });
}

Result<std::vector<store::Delivery>> FaultyQueue::Receive(size_t limit,
                                                          std::chrono::milliseconds visibility) {
  return process_.Call("", "", [&] {
    auto deliveries = queue_.Receive(limit, visibility);
    for (const store::Delivery& delivery : *deliveries) {
      process_.Tell("received", delivery.body, "");
    }
    return deliveries;
  });
}

Result<> FaultyQueue::Extend(std::span<const std::string> handles,
                             std::chrono::milliseconds visibility) {
  return process_.Call("extend", std::to_string(visibility.count()),
                       [&] { return queue_.Extend(handles, visibility); });
}

Result<> FaultyQueue::GiveBack(std::span<const std::string> handles,
                               std::chrono::milliseconds delay) {
  return process_.Call("give back", std::to_string(delay.count()),
                       [&] { return queue_.GiveBack(handles, delay); });
}

Result<> FaultyQueue::Delete(std::span<const std::string> handles) {
  if (process_.Strikes(process_.faults().lose_deletion)) return {};
  return process_.Call("delete message", "", [&] { return queue_.Delete(handles); });
}

Result<int64_t> FaultyQueue::Depth() {
  return process_.Call("depth", "", [&] { return queue_.Depth(); });
}

}  // namespace spillway::simulation
