#include "simulation/scheduler.h"

#include <algorithm>
#include <utility>

namespace spillway::simulation {

void Scheduler::KillAll() {
  for (ProcessState& process : processes_) process.alive = false;
  for (size_t task = 0; task < tasks_.size(); ++task) Reap(task);
}

Scheduler::Process Scheduler::NewProcess() {
  processes_.emplace_back();
  return processes_.size() - 1;
}

void Scheduler::Spawn(Process process, std::function<void()> body) {
  Task& task = tasks_.emplace_back();
  task.process = process;
  task.fiber = std::make_unique<Fiber>(std::move(body));
  ++processes_[process].running;
  Wake(tasks_.size() - 1, now_);
}

void Scheduler::Wake(size_t task, Timestamp at) {
  wakings_.push({.at = at, .tie = random_.Next(), .task = task, .sleep = tasks_[task].sleeps});
}

void Scheduler::SleepFor(std::chrono::microseconds duration, std::stop_token stop) {
  const size_t task = current_;
  if (stop.stop_requested()) duration = {};
  Wake(task, now_ + std::max(duration, std::chrono::microseconds(0)));
  const std::stop_callback wake_early(std::move(stop), [this, task] { Wake(task, now_); });
  tasks_[task].fiber->Suspend();
}

void Scheduler::Pause(Process process, Timestamp until) {
  processes_[process].paused_until = std::max(processes_[process].paused_until, until);
}

void Scheduler::Kill(Process process) {
  if (!processes_[process].alive) return;
  processes_[process].alive = false;
  deaths_ = true;
  if (current_ != kNone && tasks_[current_].process == process) tasks_[current_].fiber->Suspend();
}

void Scheduler::Reap(size_t task) {
  if (tasks_[task].fiber == nullptr) return;
  const std::unique_ptr<Fiber> fiber = std::exchange(tasks_[task].fiber, nullptr);
  --processes_[tasks_[task].process].running;
  fiber->Kill();
}

void Scheduler::BuryTheDead() {
  deaths_ = false;
  for (size_t task = 0; task < tasks_.size(); ++task) {
    if (!processes_[tasks_[task].process].alive) Reap(task);
  }
}

void Scheduler::Run(Timestamp until, const std::function<bool()>& done) {
  while (!done() && !wakings_.empty() && wakings_.top().at <= until) {
    const Waking next = wakings_.top();
    wakings_.pop();
    Task& task = tasks_[next.task];
    if (task.fiber == nullptr || next.sleep != task.sleeps) continue;
    now_ = std::max(now_, next.at);
    const Timestamp paused_until = processes_[task.process].paused_until;
    if (paused_until > now_) {
      Wake(next.task, paused_until);
      continue;
    }
    ++task.sleeps;
    current_ = next.task;
    task.fiber->Resume();
    current_ = kNone;
    if (tasks_[next.task].fiber->ended()) Reap(next.task);
    if (deaths_) BuryTheDead();
  }
  if (wakings_.empty() || wakings_.top().at > until) now_ = std::max(now_, until);
}

}  // namespace spillway::simulation
