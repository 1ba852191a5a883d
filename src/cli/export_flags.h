#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "deployment/requests.h"
#include "recipe/definition.h"
#include "request/form.h"
#include "settings/exports.h"

namespace CLI {
class App;
}

namespace spillway::cli {

/// How the command line names fields of that form: "--rows-per-file".
NameField FlagsOf(const request::Form& form);

/// Adds a flag for a form's field; what is given goes into `texts`, which outlives the parsing.
void AddField(CLI::App& command, const request::Field& field, const std::string& help,
              request::Texts& texts);

/// What an export is asked for on the command line: a flag for every field of every recipe's form.
class ExportFlags {
 public:
  void AddTo(CLI::App& command, const recipe::Registry& registry);

  const std::string& export_name() const { return export_name_; }
  bool to_standard_output() const;

  /// The request; `standard_output` is the destination that "-" stands for.
  Result<recipe::Request> ToRequest(const ConfiguredExport& exported,
                                    std::string_view standard_output) const;

 private:
  std::string export_name_;
  std::string organisation_;
  request::Form every_field_;  ///< Of all recipes.
  request::Texts texts_;
};

/// Who runs this program, for the records.
std::string CurrentUser();

}  // namespace spillway::cli
