#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "simulation/world.h"

namespace spillway::simulation {
namespace {

struct Arguments {
  uint64_t seeds = 1000;
  uint64_t first_seed = 1;
  bool sqlite = false;
  bool trace = false;
  size_t events = 60;
  unsigned threads = 0;
};

/// What all threads have run so far.
struct Tally {
  std::mutex mutex;
  std::atomic<uint64_t> next = 0;
  uint64_t done = 0;
  uint64_t jobs = 0;
  uint64_t succeeded = 0;
  double simulated_seconds = 0;
  std::optional<uint64_t> failed_seed;
};

using SteadyTime = std::chrono::steady_clock::time_point;

double SecondsSince(SteadyTime begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Setup SetupFor(const Arguments& arguments, uint64_t seed) {
  return {.seed = seed, .store = arguments.sqlite ? StoreKind::kSqlite : StoreKind::kMemory};
}

void RunSeeds(const Arguments& arguments, Tally& tally) {
  while (true) {
    const uint64_t index = tally.next++;
    if (index >= arguments.seeds) return;
    const uint64_t seed = arguments.first_seed + index;
    const Outcome outcome = RunWorld(SetupFor(arguments, seed));
    std::lock_guard lock(tally.mutex);
    ++tally.done;
    tally.jobs += outcome.jobs;
    tally.succeeded += outcome.succeeded;
    tally.simulated_seconds += outcome.simulated_seconds;
    if (!outcome.violation.has_value()) continue;
    tally.failed_seed = std::min(seed, tally.failed_seed.value_or(seed));
    tally.next = arguments.seeds;
  }
}

void ShowProgress(const Arguments& arguments, Tally& tally, SteadyTime begin) {
  constexpr int kWidth = 40;
  uint64_t done = 0;
  while (done < arguments.seeds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    {
      std::lock_guard lock(tally.mutex);
      done = tally.done;
      if (tally.failed_seed.has_value()) break;
    }
    const double share = static_cast<double>(done) / static_cast<double>(arguments.seeds);
    const auto filled = static_cast<size_t>(share * kWidth);
    fmt::print(stderr, "\r[{:<{}}] {} of {} seeds, {:.0f}/s ", std::string(filled, '#'), kWidth,
               done, arguments.seeds, static_cast<double>(done) / SecondsSince(begin));
    std::fflush(stderr);
  }
  fmt::print(stderr, "\r\033[K");
}

/// Runs the seed once more, and tells what happened before it went wrong.
std::optional<std::string> Retell(const Arguments& arguments, uint64_t seed) {
  std::deque<std::string> events;
  uint64_t number = 0;
  Setup setup = SetupFor(arguments, seed);
  setup.trace = [&](std::string_view process, const std::string& event) {
    events.push_back(fmt::format("{:>6} {:<12} {}", ++number, process, event));
    if (!arguments.trace && events.size() > arguments.events) events.pop_front();
  };
  const Outcome outcome = RunWorld(setup);
  for (const std::string& event : events) fmt::print("{}\n", event);
  return outcome.violation;
}

int Report(const Arguments& arguments, const Tally& tally, SteadyTime begin) {
  if (tally.failed_seed.has_value()) {
    const auto violation = Retell(arguments, *tally.failed_seed);
    fmt::print(
        "simulate: seed {} fails: {}\nsimulate: run it alone with --seeds 1 --first-seed {}{}\n",
        *tally.failed_seed, violation.value_or("but not when it is run again"), *tally.failed_seed,
        arguments.sqlite ? " --sqlite" : "");
    return 1;
  }
  const double elapsed = SecondsSince(begin);
  fmt::print(
      "simulate: {} seeds from {} in {:.1f} s ({:.0f}/s): {} jobs, {} succeeded, {:.1f} simulated "
      "hours\n",
      tally.done, arguments.first_seed, elapsed, static_cast<double>(tally.done) / elapsed,
      tally.jobs, tally.succeeded, tally.simulated_seconds / 3600);
  return 0;
}

int Simulate(const Arguments& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  Tally tally;
  if (arguments.trace) {
    tally.failed_seed = arguments.first_seed;
    return Report(arguments, tally, begin);
  }
  {
    std::vector<std::jthread> threads;
    const unsigned count = arguments.threads > 0
                               ? arguments.threads
                               : std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < count; ++i) threads.emplace_back([&] { RunSeeds(arguments, tally); });
    if (isatty(STDERR_FILENO) != 0) ShowProgress(arguments, tally, begin);
  }
  return Report(arguments, tally, begin);
}

}  // namespace
}  // namespace spillway::simulation

int main(int argc, char** argv) {
  spillway::simulation::Arguments arguments;
  CLI::App app(
      "Runs the engine under seeded schedules with faults; a seed is the whole life of a few "
      "jobs.");
  app.add_option("--seeds", arguments.seeds, "how many seeds to run")->capture_default_str();
  app.add_option("--first-seed", arguments.first_seed, "the first of them")->capture_default_str();
  app.add_option("--threads", arguments.threads, "seeds at a time; 0: one a core")
      ->capture_default_str();
  app.add_option("--events", arguments.events, "events shown before a failure")
      ->capture_default_str();
  app.add_flag("--sqlite", arguments.sqlite, "keep jobs in SQLite instead of memory");
  app.add_flag("--trace", arguments.trace, "show every event of the first seed");
  CLI11_PARSE(app, argc, argv);
  return spillway::simulation::Simulate(arguments);
}
