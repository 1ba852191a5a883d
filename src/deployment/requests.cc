#include "deployment/requests.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "settings/setting_checks.h"

namespace spillway {

std::string PlainName(const std::string& field) { return field; }

Error ToError(const request::Problems& problems, const NameField& name) {
  std::string message;
  for (const request::Problem& problem : problems) {
    if (!message.empty()) message += "; ";
    if (!problem.field.empty()) message += name(problem.field) + " ";
    message += problem.message;
  }
  return {.code = ErrorCode::kInvalidArgument, .message = std::move(message)};
}

Result<recipe::Request> RequestOf(const ConfiguredExport& exported, const request::Texts& texts,
                                  request::Identity who, request::Asking asking,
                                  const NameField& name) {
  const request::Form form = exported.form();
  asking.role = who.role;
  auto parameters = request::ParametersOf(form, texts, asking);
  request::Problems problems;
  if (!parameters.has_value()) problems = parameters.error();
  if (auto problem = request::CheckOrganisation(form, who.organisation))
    problems.insert(problems.begin(), *std::move(problem));
  std::ranges::move(CheckPlaces(form, texts, exported.shared.lake.directory),
                    std::back_inserter(problems));
  if (problems.empty())
    problems = exported.definition->CheckParameters(exported.exported.settings, *parameters,
                                                    exported.shared);
  if (!problems.empty()) return std::unexpected(ToError(problems, name));
  return recipe::Request{.export_name = exported.exported.name,
                         .who = std::move(who),
                         .parameters = *std::move(parameters)};
}

}  // namespace spillway
