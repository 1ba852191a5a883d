#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "queue/queue.h"

namespace spillway::store::sql {

/// What a handle says: `<message id>.<receive count>`, so that the handle of an earlier delivery
/// matches nothing.
struct Receipt {
  int64_t id = 0;
  int64_t receive_count = 0;
};

/// The receipts of handles; those that are none are left out.
std::vector<Receipt> ReadHandles(std::span<const std::string> handles);

/// A message that was just received, in a batch that need not be in order.
struct Taken {
  int64_t turn = 0;
  Receipt receipt;
  std::string body;
};

/// Deliveries in the order of their messages' turns, then of their sending.
std::vector<Delivery> InOrder(std::vector<Taken> taken);

/// What Queue::Send asks of its arguments.
Result<> CheckMessages(std::span<const Message> messages);

}  // namespace spillway::store::sql
