#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "source/postgres/node_tree.h"

namespace spillway::postgres_source {

/// Looks through the server's parse trees for what the rows of a SELECT depend on besides its
/// snapshot, and collects the OIDs of what only the catalogs can tell about (see Dependences).
class DependenceSearch {
 public:
  struct Found {
    std::string scan;     ///< The first reason that a tree itself gives; as in Dependences.
    std::string session;  ///< The same.
    bool statement_time = false;
    std::set<int64_t> functions;
    std::map<int64_t, int64_t> arguments;  ///< The fewest arguments that each function is given.
    std::set<int64_t> aggregates;          ///< Their results may depend on the order of rows.
    std::set<int64_t> operators;
    std::set<int64_t> equalities;  ///< Used to group rows or make them distinct.
    std::set<int64_t> inputs;      ///< Types that text is read as.
    std::set<int64_t> collations;
    std::set<int64_t> tables;
    std::set<int64_t> guarded;  ///< Tables with conditions of row security.
  };

  /// `by_last_column` as FindDependences takes it.
  void Add(const Node& tree, bool by_last_column);

  const Found& found() const { return found_; }

 private:
  void Scan(std::string_view reason);
  void Session(std::string_view reason);
  void DependsOnTime(bool of_the_statement);

  void ExemptGroups(const Node& statement);
  void Visit(const Node& node, const Node* query);
  void VisitNode(const Node& node, const Node* query);
  void VisitAggregate(const Node& node, const Node* query);
  void VisitQuery(const Node& query);
  void VisitTable(const Node& table);

  Found found_;
  std::set<const Node*> whole_groups_;    ///< Queries each of whose groups is in one range.
  std::set<const Node*> whole_distinct_;  ///< Queries whose rows that DISTINCT makes one are.
};

}  // namespace spillway::postgres_source
