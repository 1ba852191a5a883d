#pragma once

#include <cstddef>
#include <functional>

#include <boost/context/fiber.hpp>

namespace spillway::simulation {

/// A function with a stack of its own, on the thread of whoever resumes it. Address and thread
/// sanitizer are told of every switch.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  /// Kills it first, where it has not ended.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs it until it suspends or ends. From outside.
  void Resume();

  /// Goes back to whoever resumed it. From inside. Does not return in a fiber that was killed: its
  /// stack is unwound.
  void Suspend();

  /// Unwinds what is on its stack: destructors run, and nothing else. From outside.
  void Kill();

  bool ended() const { return ended_; }

 private:
  struct Killed {};

  boost::context::fiber Main(boost::context::fiber&& outside);
  void LeaveOuter();
  void EnterOuter();
  void EnterFiber();
  void LeaveFiber();
  void FreeFakeStack();

  const std::function<void()> body_;
  boost::context::stack_context stack_;
  boost::context::fiber inside_;
  boost::context::fiber outside_;
  bool killed_ = false;
  bool ended_ = false;

  // What AddressSanitizer knows of both sides.
  [[maybe_unused]] void* own_fake_stack_ = nullptr;
  [[maybe_unused]] void* outer_fake_stack_ = nullptr;
  [[maybe_unused]] const void* outer_stack_ = nullptr;
  [[maybe_unused]] size_t outer_stack_bytes_ = 0;
};

}  // namespace spillway::simulation
