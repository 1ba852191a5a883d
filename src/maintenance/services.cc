#include "maintenance/services.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"
#include "engine/guarded.h"
#include "maintenance/expirer.h"
#include "maintenance/rescuer.h"
#include "maintenance/sweeper.h"

namespace spillway::engine {
namespace {

constexpr int64_t kRarely = 10;

class StagingCloser final : public Service {
 public:
  explicit StagingCloser(Context& context) : context_(context) {}

  std::string_view name() const override { return "staging closer"; }
  std::chrono::milliseconds period() const override { return context_.options.lease / 3; }

  Result<> Run(std::stop_token) override {
    for (const std::string& job_id : context_.stagings.Unused()) {
      const Result<Job> job = context_.store.Get(job_id);
      if (job.has_value() && IsFinal(job->state)) context_.stagings.Drop(job_id);
    }
    return {};
  }

 private:
  Context& context_;
};

class Rescuer final : public Service {
 public:
  explicit Rescuer(Context& context) : context_(context) {}

  std::string_view name() const override { return "rescuer"; }
  std::chrono::milliseconds period() const override { return context_.options.lease / 3; }

  Result<> Run(std::stop_token) override {
    TRY(Rescue(context_));
    return {};
  }

 private:
  Context& context_;
};

class Sweeper final : public Service {
 public:
  explicit Sweeper(Context& context) : context_(context), removal_(context) {}

  std::string_view name() const override { return "sweeper"; }
  std::chrono::milliseconds period() const override { return context_.options.lease / 3 * kRarely; }

  Result<> Run(std::stop_token) override { return removal_.Run(); }

 private:
  Context& context_;
  LeftoverRemoval removal_;
};

class Expirer final : public Service {
 public:
  explicit Expirer(Context& context)
      : context_(context), walks_(ExpiryWalks(context.options)), second_look_(context) {}

  std::string_view name() const override { return "expirer"; }
  std::chrono::milliseconds period() const override { return context_.options.lease / 3 * kRarely; }

  Result<> Run(std::stop_token stop) override {
    FirstError failed;
    failed.Add(second_look_.Run(stop));
    std::vector<std::string> expired;
    failed.Add(ExpireDue(context_, walks_, expired, stop));
    second_look_.Add(expired);
    return failed.result();
  }

 private:
  Context& context_;
  std::vector<ExpiryWalk> walks_;
  SecondLook second_look_;
};

}  // namespace

void Services::Add(std::unique_ptr<Service> service) {
  entries_.push_back({.service = std::move(service), .due_at = clock_.Now()});
}

void Services::AddLater(std::unique_ptr<Service> service) {
  const Timestamp due_at = clock_.Now() + service->period();
  entries_.push_back({.service = std::move(service), .due_at = due_at});
}

Result<> Services::RunDue(std::stop_token stop) {
  FirstError failed;
  for (Entry& entry : entries_) {
    if (stop.stop_requested()) break;
    if (clock_.Now() < entry.due_at) continue;
    const Result<> ran = Guarded([&] { return entry.service->Run(stop); });
    entry.due_at = clock_.Now() + entry.service->period();
    failed.Add(ran);
    const std::string error = ran.has_value() ? "" : ran.error().message;
    if (!error.empty() && error != entry.last_error)
      log_.Error("maintenance failed", {{"service", entry.service->name()}, {"error", error}});
    entry.last_error = error;
  }
  return failed.result();
}

void Services::Run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    static_cast<void>(RunDue(stop));  // Each service's error has been logged.
    Timestamp next = clock_.Now() + std::chrono::seconds(1);
    for (const Entry& entry : entries_) next = std::min(next, entry.due_at);
    const auto pause = std::chrono::ceil<std::chrono::milliseconds>(next - clock_.Now());
    clock_.SleepFor(std::max(pause, std::chrono::milliseconds(1)), stop);
  }
}

Services WorkerServices(Context& context) {
  Services services(context.clock, context.log);
  services.Add(std::make_unique<Rescuer>(context));
  services.Add(std::make_unique<StagingCloser>(context));
  services.AddLater(std::make_unique<Sweeper>(context));
  services.AddLater(std::make_unique<Expirer>(context));
  return services;
}

}  // namespace spillway::engine
