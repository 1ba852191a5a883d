#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/any_section.h"
#include "request/form.h"

namespace spillway::recipe {

/// What an operation has done, for people and for programs.
struct Report {
  std::vector<std::string> lines;
  std::string json;  ///< One object.
};

/// Hears how far an operation is: its title, what is counted, how much is done, and of how much.
using ShowProgress = std::function<void(const std::string& title, const std::string& unit,
                                        int64_t done, int64_t total)>;

/// Something that an operator does to what a recipe keeps, beside exporting: setting up a log,
/// looking at what is pending.
struct Operation {
  std::string name;  ///< "migrate".
  std::string help;
  request::Form form;
  bool only_looks = false;  ///< It changes nothing: what it says is what it is run for.
  /// What is wrong with parameters beyond what the form says; null: nothing.
  std::function<request::Problems(std::string_view parameters)> check = nullptr;
  /// `parameters` is what request::ParametersOf makes of the form, and `check` finds good.
  std::function<Result<Report>(const config::AnyValue& settings, std::string_view parameters,
                               const ShowProgress& progress)>
      run;
};

}  // namespace spillway::recipe
