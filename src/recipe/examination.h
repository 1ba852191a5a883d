#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace spillway::recipe {

/// One thing that was looked at.
struct Finding {
  enum class Grade {
    kGood,
    kNote,  ///< Works, but may not be what is wanted.
    kBad,
  };

  std::string what;
  Grade grade = Grade::kGood;
  std::string detail;  ///< What was seen; of what is not good, with a remedy.
};

/// What was found where everything that is configured was looked at.
class Examination {
 public:
  /// Looks at one thing; an error is a bad finding. Says whether it is good.
  bool Look(std::string what, const std::function<Result<std::string>()>& look) {
    const Result<std::string> seen = look();
    findings_.push_back({.what = std::move(what),
                         .grade = seen.has_value() ? Finding::Grade::kGood : Finding::Grade::kBad,
                         .detail = seen.has_value() ? *seen : seen.error().message});
    return seen.has_value();
  }

  void Note(std::string what, std::string detail) {
    findings_.push_back(
        {.what = std::move(what), .grade = Finding::Grade::kNote, .detail = std::move(detail)});
  }

  const std::vector<Finding>& findings() const { return findings_; }

 private:
  std::vector<Finding> findings_;
};

}  // namespace spillway::recipe
