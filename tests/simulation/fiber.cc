#include "simulation/fiber.h"

#include <utility>
#include <vector>

#include <boost/context/protected_fixedsize_stack.hpp>

#if defined(__SANITIZE_ADDRESS__)
#define SPILLWAY_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SPILLWAY_ADDRESS_SANITIZER
#endif
#endif

#ifdef SPILLWAY_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

namespace spillway::simulation {
namespace {

constexpr size_t kStackBytes = 256 << 10;

/// Stacks of fibers that have ended, for the thread's next ones.
class StackPool {
 public:
  ~StackPool() {
    for (boost::context::stack_context& stack : free_) allocator_.deallocate(stack);
  }

  boost::context::stack_context Take() {
    if (free_.empty()) return allocator_.allocate();
    const boost::context::stack_context stack = free_.back();
    free_.pop_back();
    return stack;
  }

  void Give(const boost::context::stack_context& stack) { free_.push_back(stack); }

 private:
  boost::context::protected_fixedsize_stack allocator_{kStackBytes};
  std::vector<boost::context::stack_context> free_;
};

thread_local StackPool stack_pool;

struct GiveBack {
  void deallocate(boost::context::stack_context& stack) const { stack_pool.Give(stack); }
};

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(stack_pool.Take()) {
  // Boost enters the new stack once already here.
  LeaveOuter();
  inside_ = boost::context::fiber(
      std::allocator_arg, boost::context::preallocated(stack_.sp, stack_.size, stack_), GiveBack(),
      [this](boost::context::fiber&& outside) { return Main(std::move(outside)); });
  EnterOuter();
}

Fiber::~Fiber() { Kill(); }

void Fiber::Resume() {
  LeaveOuter();
  inside_ = std::move(inside_).resume();
  EnterOuter();
  if (ended_) FreeFakeStack();
}

void Fiber::LeaveOuter() {
#ifdef SPILLWAY_ADDRESS_SANITIZER
  const auto* bottom = static_cast<const char*>(stack_.sp) - stack_.size;
  __sanitizer_start_switch_fiber(&outer_fake_stack_, bottom, stack_.size);
#endif
}

void Fiber::EnterOuter() {
#ifdef SPILLWAY_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(outer_fake_stack_, nullptr, nullptr);
#endif
}

#ifdef SPILLWAY_ADDRESS_SANITIZER
/// A fiber that ends still returns through its frames, some of which stand in its fake stack. So it
/// is freed from outside, by stepping into it and out of it for good.
__attribute__((no_sanitize("address"))) void Fiber::FreeFakeStack() {
  __sanitizer_start_switch_fiber(&outer_fake_stack_, outer_stack_, outer_stack_bytes_);
  __sanitizer_finish_switch_fiber(own_fake_stack_, nullptr, nullptr);
  __sanitizer_start_switch_fiber(nullptr, outer_stack_, outer_stack_bytes_);
  __sanitizer_finish_switch_fiber(outer_fake_stack_, nullptr, nullptr);
}
#else
void Fiber::FreeFakeStack() {}
#endif

void Fiber::Suspend() {
  LeaveFiber();
  outside_ = std::move(outside_).resume();
  EnterFiber();
  if (killed_) throw Killed();
}

void Fiber::Kill() {
  if (ended_) return;
  killed_ = true;
  Resume();
}

boost::context::fiber Fiber::Main(boost::context::fiber&& outside) {
  outside_ = std::move(outside);
  EnterFiber();
  try {
    if (!killed_) body_();
  } catch (const Killed&) {
  }
  ended_ = true;
  LeaveFiber();
  return std::move(outside_);
}

void Fiber::EnterFiber() {
#ifdef SPILLWAY_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(own_fake_stack_, &outer_stack_, &outer_stack_bytes_);
#endif
}

void Fiber::LeaveFiber() {
#ifdef SPILLWAY_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(&own_fake_stack_, outer_stack_, outer_stack_bytes_);
#endif
}

}  // namespace spillway::simulation
