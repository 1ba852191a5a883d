#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/any_section.h"
#include "config/scalar.h"
#include "config/section.h"
#include "recipe/examination.h"
#include "recipe/operation.h"
#include "recipe/recipe.h"
#include "recipe/resources.h"
#include "request/form.h"

namespace spillway::recipe {

/// An export as it is configured.
struct Export {
  std::string name;
  std::string destination;    ///< A directory, or s3://bucket/prefix; empty for StandingExport.
  config::AnyValue settings;  ///< Of the type that the recipe's settings() declares.
  /// Paths of the settings that have in them what a variable gave: "parameters.customer".
  std::vector<std::string> from_variables = {};
};

/// An export that is there once, with a section of the configuration of its own.
struct StandingExport {
  std::string name;     ///< What it is run as.
  std::string what;     ///< What it is, in words.
  std::string section;  ///< Of the configuration.
  std::string help;     ///< Of the section.
};

/// Where something of an export is kept.
struct Place {
  std::string what;  ///< In words.
  std::string path;  ///< A directory, or s3://bucket/prefix.
};

/// What the engine has to know of a StandingExport; others say it in their section.
struct StandingPolicy {
  int64_t parallel = 1;
  config::Lifetime retention;
};

/// What runs leave undone. Lines say so, and what to do; where there is nothing to say, they are
/// empty.
struct Remainder {
  int64_t failed = 0;   ///< Failed, and not exported since.
  int64_t waiting = 0;  ///< Held up by something that has not ended.
  std::string failed_line;
  std::string waiting_line;
};

/// All that a recipe's folder gives the program: its name, its settings, what can be asked of it,
/// and how it is made. Immutable, thread-safe. CONTRIBUTING.md says how one is added.
class Definition {
 public:
  virtual ~Definition() = default;

  /// What an export's setting `recipe` says.
  virtual std::string_view name() const = 0;
  /// What it exports, in a few words of help.
  virtual std::string_view summary() const = 0;

  /// The name of the export of it that there is where the configuration has no exports; empty:
  /// none.
  virtual std::string_view default_export() const { return {}; }

  /// The settings of an export: fields of exports.<name>, beside those that all exports have.
  virtual std::shared_ptr<const config::AnySection> settings() const = 0;

  /// Set: the settings are a section of their own.
  virtual std::optional<StandingExport> standing() const { return std::nullopt; }
  virtual StandingPolicy standing_policy(const config::AnyValue& /*settings*/) const { return {}; }
  /// Whether there is such an export: kInvalidArgument, saying what to set, where there is none.
  virtual Result<> CheckConfigured(const config::AnyValue& /*settings*/) const { return {}; }
  /// Whether something of a StandingExport is set, so that somebody may believe it to be there.
  virtual bool IsMeant(const config::AnyValue& /*settings*/) const { return true; }
  /// Where a StandingExport writes.
  virtual std::vector<Place> PlacesOf(const config::AnyValue& /*settings*/) const { return {}; }

  /// Looks whether the settings fit what recipes share. Complaints are about fields of the export's
  /// section, whose path is `path`.
  virtual void Check(const std::string& /*path*/, const config::AnyValue& /*settings*/,
                     const SharedSettings& /*shared*/, config::Complaints& /*complaints*/) const {}

  /// What can be asked of an export with such settings. An empty value gives the form that all
  /// exports of the recipe have in common.
  virtual request::Form form(const config::AnyValue& settings) const = 0;

  /// Why such parameters, which a form has made, cannot be meant of an export with such settings,
  /// as far as can be said without asking anybody. A problem of no field in particular names none.
  virtual request::Problems CheckParameters(const config::AnyValue& /*settings*/,
                                            std::string_view /*parameters*/,
                                            const SharedSettings& /*shared*/) const {
    return {};
  }

  /// The zone of an export's days.
  virtual std::string time_zone(const config::AnyValue& /*settings*/) const { return "UTC"; }

  /// The recipe, for these exports.
  virtual Result<std::unique_ptr<Recipe>> Make(const std::vector<Export>& exports,
                                               Resources& resources) const = 0;

  /// Looks whether everything can work that the exports need beside their destinations. `recipe` is
  /// what Make made of them.
  virtual void Examine(const std::vector<Export>& /*exports*/, const SharedSettings& /*shared*/,
                       const Recipe& /*recipe*/, Examination& /*examination*/) const {}

  /// What the runs of a StandingExport leave undone, and somebody has to see to.
  virtual Result<Remainder> LookForRest(const config::AnyValue& /*settings*/) const {
    return Remainder{};
  }

  /// What recipients of a manifest may wonder at where files are not as it says; empty: nothing.
  virtual std::string_view why_files_may_differ() const { return {}; }

  virtual std::vector<Operation> operations() const { return {}; }

  /// Commands for the help of commands, without the program's name: "run messages --from …".
  virtual std::vector<std::string> examples() const { return {}; }
};

/// The recipes that a program has, in a fixed order: an export that doesn't say which is meant is of
/// the first without a section of its own.
using Registry = std::vector<std::unique_ptr<const Definition>>;

/// Null where there is none of that name.
const Definition* FindDefinition(const Registry& registry, std::string_view name);

/// A field that forms have, and whose: what `settings` with the defaults can be asked.
struct FormField {
  request::Field field;
  std::vector<std::string> of;  ///< Names of recipes; of StandingExports, theirs.
  bool of_all = false;

  /// The field's help; where not all have it, it begins with whose it is.
  std::string help() const;
};

/// The fields of all forms, each name once.
std::vector<FormField> FormFields(const Registry& registry);

}  // namespace spillway::recipe
