#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "recipe/query_export/parameters.h"
#include "recipe/query_export/records.h"
#include "recipe/recipe.h"
#include "recipe/resources.h"
#include "source/postgres/dependences.h"
#include "source/postgres/query_reader.h"
#include "source/postgres/snapshots.h"
#include "source/postgres/split.h"

namespace spillway::recipe {

/// A configured query export.
struct QueryExportOptions {
  std::string database;  ///< Its name.
  std::string address;   ///< Perhaps with a password: it goes into no record.
  std::chrono::milliseconds statement_timeout{0};
  std::string table;  ///< This or `query`.
  std::string query;
  std::map<std::string, std::string> parameters;  ///< Values that no request can change.
  std::vector<std::string> concealed = {};        ///< Of a request with them; see recipients.h.
  bool split_by_place = false;                    ///< Cut a table by where its rows lie on disk.
  std::string split_column;  ///< Cut by ranges of this column instead; empty: not.
  /// Columns that tell rows apart, by which such ranges are reconciled; empty: a table's own key.
  std::vector<std::string> key;
  bool row_security = false;  ///< Export what policies show, instead of refusing.
  OutputOptions output;
};

/// The parameter that is always the organisation of who asks.
inline constexpr std::string_view kOrganisationParameter = "organisation";
/// The parameter that a schedule gives its tick, an instant.
inline constexpr std::string_view kTickParameter = "tick";

/// Any SELECT, or a table, out of PostgreSQL into files. All of a job is read through one snapshot,
/// which the process that planned it holds (see postgres_source::Snapshots): where that process
/// ends, chunks that are not done fail for good, and the job with them.
///
/// What is counted when: planning counts the rows of each chunk with count(*) in the snapshot;
/// reading takes the rows that arrived, which must be as many as the server says it sent; the
/// engine holds one against the other. Where ranges of a column are read apart, so are the sums of
/// their rows' keys, here: counts alone would not see a row that stands in for another.
class QueryExport final : public Recipe {
 public:
  static constexpr std::string_view kName = "query_export";

  /// `exports` are by name; `resources` outlives the recipe.
  QueryExport(std::map<std::string, QueryExportOptions, std::less<>> exports, Resources& resources)
      : exports_(std::move(exports)),
        resources_(resources),
        snapshots_(std::make_unique<postgres_source::Snapshots>(
            [&resources](std::string_view job_id) { return resources.IsOver(job_id); })) {}

  std::string_view name() const override { return kName; }
  Result<CanonicalRequest> Canonicalise(const Request& request) const override;
  Result<Destination> DestinationOf(const engine::Job& job) const override;
  Result<Survey> Look(const std::string& export_name, const CanonicalRequest& request,
                      std::stop_token stop) const override;
  /// Whether a job that is not over needs this process, which holds its snapshot.
  bool IsNeeded() const override { return snapshots_->AreNeeded(); }
  Result<Planned> MakePlan(const engine::Job& job, Planning& plan,
                           std::stop_token stop) const override;
  Result<ChunkOutcome> Process(const engine::Job& job, const engine::Chunk& chunk,
                               engine::Staging& staging, Progress& progress,
                               std::stop_token stop) const override;
  Result<Assembly> Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                            engine::Staging& staging, std::stop_token stop) const override;

  /// Whether the export could be planned now (`spillway doctor`): connects, and lets the server
  /// prepare what it would read, with nulls as parameters; nothing is counted. Returns how many
  /// columns there are.
  Result<int64_t> Examine(std::string_view export_name, std::stop_token stop) const;

 private:
  /// A session that knows what it is to read.
  struct Opened {
    std::unique_ptr<postgres_source::QueryReader> reader;
    postgres_source::Selection selection;
    postgres_source::Dependences dependences;
  };
  static Result<Opened> OpenFor(const QueryExportOptions& options,
                                const QueryExportParameters& parameters, std::stop_token stop);
  /// What is read, in chunks without files. The snapshot ends with `holder`.
  struct Found {
    QuerySource source;
    std::vector<QueryChunk> chunks;
    std::unique_ptr<postgres_source::QueryReader> holder;
  };
  Result<Found> FindWhatIsRead(std::string_view export_name, std::string_view canonical_parameters,
                               std::stop_token stop) const;
  Result<const QueryExportOptions*> Find(std::string_view export_name) const;
  /// Counts the splits, unless they are: where one session has to read, by that one.
  Result<> Count(const QuerySource& source, postgres_source::QueryReader& holder,
                 const postgres_source::Selection& selection,
                 const postgres_source::ReadOptions& reading,
                 std::vector<postgres_source::Split>& splits, const std::stop_token& stop) const;

  const std::map<std::string, QueryExportOptions, std::less<>> exports_;
  Resources& resources_;
  const std::unique_ptr<postgres_source::Snapshots> snapshots_;
};

}  // namespace spillway::recipe
