#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/figures.h"
#include "cli/command.h"
#include "cli/input_files.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "cli/reject_file.h"
#include "deployment/deployment.h"
#include "lake/ingest/ingest.h"

namespace spillway::cli {
namespace {

struct IngestFlags {
  std::vector<std::string> inputs;
  std::string batch_id;
  std::filesystem::path rejects;
};

/// To standard error, so that programs which read standard output see no other lines.
void Tell(const InputFiles::PassedOver& passed_over, std::string_view what) {
  if (passed_over.count == 0) return;
  PrintLine(fmt::format("passed over {} {}; the first: {}", Grouped(passed_over.count), what,
                        passed_over.first),
            stderr);
}

/// Nothing was in it but blank lines, if that.
bool WasEmpty(const lake::IngestReport& report) {
  return !report.duplicate && report.lines == report.empty_lines;
}

nlohmann::ordered_json ToJson(const std::string& input, const lake::IngestReport& report) {
  return {{"input", input},
          {"batch_id", report.batch_id},
          {"duplicate", report.duplicate},
          {"empty", WasEmpty(report)},
          {"lines", report.lines},
          {"rows", report.rows},
          {"rejected", report.rejected},
          {"empty_lines", report.empty_lines},
          {"ignored_fields", report.ignored_fields},
          {"input_bytes", report.input_bytes},
          {"lake_bytes", report.output_bytes},
          {"files", report.files},
          {"lake_version", report.version}};
}

std::string Describe(const std::string& input, const lake::IngestReport& report,
                     const std::string& rejects) {
  if (report.duplicate)
    return fmt::format("{}: is in the lake already (batch {}); nothing added", input,
                       report.batch_id);
  if (WasEmpty(report)) {
    return fmt::format("{}: 0 messages; the input {}", input,
                       report.lines == 0 ? "is empty" : "has blank lines only");
  }
  std::string line = fmt::format("{}: {} rows in {} files, {}", input, Grouped(report.rows),
                                 report.files, ShortBytes(report.output_bytes));
  if (report.ignored_fields > 0)
    line += fmt::format("; {} unknown fields ignored", Grouped(report.ignored_fields));
  if (report.rejected > 0)
    line += fmt::format("; {} lines rejected, see {}", Grouped(report.rejected), rejects);
  return line;
}

/// Ingests one input after the other into one lake.
class Ingestion {
 public:
  Ingestion(LakePlace& lake, const Settings& settings, const Invocation& invocation,
            const IngestFlags& flags)
      : lake_(lake), settings_(settings), invocation_(invocation), flags_(flags) {}

  std::stop_source& stop() { return stop_; }

  Result<lake::IngestReport> Take(const std::string& name) {
    const lake::LakeSettings& settings = settings_.lake;
    std::unique_ptr<lake::NdjsonInput> input =
        name == kStandardInput ? lake::NdjsonFromStandardInput(stop_.get_token())
                               : TRY(lake::OpenNdjsonFile(name));
    rejects_ = RejectPath(name);
    RejectFile rejects(rejects_);
    lake::IngestOptions options{.batch_id = flags_.batch_id,
                                .threads = ThreadsOf(settings_),
                                .memory_bytes = settings.ingest_memory.bytes,
                                .unknown_fields = settings.unknown_fields,
                                .line_bytes_max = settings.line_bytes_max.bytes,
                                .files = {}};
    const std::string title = std::filesystem::path(name).filename().string();
    ProgressBar reading(title, "bytes");
    std::optional<ProgressBar> writing;
    const lake::IngestReport report = TRY(lake::Ingest(
        lake_.store(), lake_.log(), lake_.schema(), *input, rejects, options, random_,
        stop_.get_token(), [&](const lake::IngestProgress& progress) {
          if (invocation_.quiet) return;
          if (progress.input_bytes != progress.input_bytes_total) {
            reading.Show(static_cast<int64_t>(progress.input_bytes),
                         static_cast<int64_t>(progress.input_bytes_total.value_or(0)),
                         fmt::format("{} lines", ShortCount(static_cast<double>(progress.lines))));
            return;
          }
          if (!writing) writing.emplace(title, "rows");
          writing->Show(progress.rows_written, progress.rows, "writing files");
        }));
    return report;
  }

  /// The file that has the lines of the last input that were refused.
  const std::filesystem::path& rejects() const { return rejects_; }

 private:
  std::filesystem::path RejectPath(const std::string& name) const {
    if (!flags_.rejects.empty()) return flags_.rejects;
    return (name == kStandardInput ? "stdin" : name) + std::string(kRejectsSuffix);
  }

  LakePlace& lake_;
  const Settings& settings_;
  const Invocation& invocation_;
  const IngestFlags& flags_;
  Random random_ = Random::FromEntropy();
  std::stop_source stop_;
  std::filesystem::path rejects_;
};

Outcome Ingest(const Invocation& invocation, const IngestFlags& flags) {
  const Settings settings = TRY(invocation.Load());
  const InputFiles inputs = TRY(FindInputFiles(flags.inputs));
  const std::vector<std::string>& files = inputs.files;
  if (files.size() > 1 && !flags.batch_id.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "--batch-id names one batch, but there are several inputs");
  }
  SystemClock clock;
  Stores stores(settings.s3, clock);
  const auto lake = TRY(LakePlace::Open(settings.lake, stores, clock, Stores::Missing::kIsMade));
  Ingestion ingestion(*lake, settings, invocation, flags);
  const auto listening =
      invocation.interrupt.Listen([&ingestion] { ingestion.stop().request_stop(); });
  if (!invocation.quiet) {
    Tell(inputs.hidden, "hidden files and directories (their name begins with . or _)");
    Tell(inputs.special, "pipes, sockets and devices");
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  bool rejected = false;
  for (const std::string& file : files) {
    const lake::IngestReport report = TRY(ingestion.Take(file));
    rejected |= report.rejected > 0;
    if (invocation.json) {
      all.push_back(ToJson(file, report));
    } else if (!invocation.quiet) {
      PrintLine(Describe(file, report, ingestion.rejects()));
    }
  }
  if (invocation.json) PrintJson(all);
  return rejected ? ExitCode::kRejected : ExitCode::kSuccess;
}

}  // namespace

void AddIngest(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<IngestFlags>();
  CLI::App* command = program.add_subcommand(
      "ingest", "add messages (NDJSON, also gzip or zstd) to the lake, exactly once");
  command
      ->add_option("inputs", flags->inputs,
                   "files, directories with all below, or - for standard input")
      ->required();
  command->add_option("--batch-id", flags->batch_id,
                      "name of the batch; default: the digest of its bytes");
  command->add_option("--rejects", flags->rejects,
                      "where refused lines are added; default: INPUT.rejects.ndjson");
  command->footer(
      R"(A batch is added whole or not at all, and only once: running the same file again adds nothing.
Its bytes tell, or its --batch-id: without one, a file that has grown since, or was compressed, is another
batch, and its lines are in the lake twice.
A directory stands for all files in it and below, but for hidden ones (their name begins with . or _),
whose number is said. gzip and zstd are told by a file's first bytes, not by its name; what a zstd
file asks for with --long=N (up to 31) takes 2^N bytes of memory.
Examples:
  spillway ingest messages-2025-01-*.ndjson.gz
  zstdcat messages.zst | spillway ingest - --batch-id 2025-01-31T12)");
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return Ingest(invocation, *flags); };
  });
}

}  // namespace spillway::cli
