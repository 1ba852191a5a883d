#pragma once

#include "queue/queue.h"
#include "simulation/process.h"

namespace spillway::simulation {

/// A queue as one process sees it: messages get lost, doubled, late and out of order.
class FaultyQueue final : public store::Queue {
 public:
  FaultyQueue(Queue& queue, SimulatedProcess& process) : queue_(queue), process_(process) {}

  Result<> Send(std::span<const store::Message> messages) override;
  Result<std::vector<store::Delivery>> Receive(size_t limit,
                                               std::chrono::milliseconds visibility) override;
  Result<> Extend(std::span<const std::string> handles,
                  std::chrono::milliseconds visibility) override;
  Result<> GiveBack(std::span<const std::string> handles, std::chrono::milliseconds delay) override;
  Result<> Delete(std::span<const std::string> handles) override;
  Result<int64_t> Depth() override;

 private:
  Queue& queue_;
  SimulatedProcess& process_;
};

}  // namespace spillway::simulation
